//! A Snowflake account that does not exist.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _};

use super::{UPSERT, cold_start, folder, server};

const REMEDY: &str = "set SNOWFLAKE_ACCOUNT to <organization>-<account>, as in SELECT CURRENT_ORGANIZATION_NAME(), \
                      CURRENT_ACCOUNT_NAME(), for example SNOWFLAKE_ACCOUNT=acme-prod, and leave SNOWFLAKE_URL out, unless it \
                      goes by PrivateLink";

#[tokio::test]
async fn an_account_without_a_host_says_how_accounts_are_named() {
    let folder = folder();

    let url = [("SNOWFLAKE_URL", "https://acme-prod.invalid")];
    let nowhere = cold_start(folder.path(), "upsert", &[&UPSERT, &url]).await;
    // Longer than a part of a host's name can be, so no network is asked.
    let account = "a".repeat(64);
    let impossible = cold_start(folder.path(), "upsert", &[&UPSERT, &[("SNOWFLAKE_ACCOUNT", &account)]]).await;

    let log_in = "failed to log in to Snowflake account";
    let start = format!("{log_in} acme-prod as LANDFALL: there is no such host: acme-prod.invalid (");
    assert!(nowhere.starts_with(&start) && nowhere.ends_with(&format!("); {REMEDY}")), "{nowhere}");
    let start = format!("{log_in} {account} as LANDFALL: there is no such host: {account}.snowflakecomputing.com (");
    assert!(impossible.starts_with(&start) && impossible.ends_with(&format!("); {REMEDY}")), "{impossible}");
}

#[tokio::test]
async fn an_account_that_the_wildcards_host_does_not_know_says_how_accounts_are_named() {
    let folder = folder();
    for status in [StatusCode::FORBIDDEN, StatusCode::NOT_FOUND] {
        let url = server(move || (status, Html("<html><body>no such account</body></html>")).into_response()).await;

        let message = cold_start(folder.path(), "upsert", &[&UPSERT, &[("SNOWFLAKE_URL", &url)]]).await;

        let what = "failed to log in to Snowflake account acme-prod as LANDFALL: it answered with HTTP";
        assert_eq!(message, format!("{what} {}; {REMEDY}", status.as_u16()));
    }
}
