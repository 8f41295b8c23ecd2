//! Whether anybody answers to the account's name, and what time it is there.

use std::time::Duration;

use chrono::{DateTime, Utc};
use landfall_snowflake::provision::Check;
use landfall_upsert::config::Config;

/// How long an answer may take.
const TIME_OUT: Duration = Duration::from_secs(10);

/// How far this machine's clock may be off: a log-in is signed with the time, and refused a minute from it.
///
/// Source: Snowflake documentation, "Key-pair authentication": the token is valid within 60 seconds of its issue.
const MAX_SKEW_SECONDS: i64 = 30;

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reached {
    /// An answer: its status, and the server's clock less this machine's.
    Answered { status: u16, skew_seconds: Option<i64> },
    /// None, and why.
    Silent(String),
}

impl Reached {
    /// The server's clock less this machine's, in seconds, where that is too much.
    pub(super) fn skew(&self) -> Option<i64> {
        match self {
            Self::Answered { skew_seconds: Some(skew), .. } if skew.abs() > MAX_SKEW_SECONDS => Some(*skew),
            _ => None,
        }
    }
}

fn url(config: &Config) -> String {
    let usual = || format!("https://{}.snowflakecomputing.com", config.account);
    config.url.clone().unwrap_or_else(usual)
}

/// Asks for the account's first page.
pub(super) async fn probe(config: &Config) -> Reached {
    let client = reqwest::Client::builder().timeout(TIME_OUT).redirect(reqwest::redirect::Policy::none()).build();
    let answer = match client {
        Ok(client) => client.get(url(config)).send().await,
        Err(error) => Err(error),
    };
    match answer {
        Err(error) => Reached::Silent(landfall_core::root_cause(&error)),
        Ok(answer) => {
            let date = answer.headers().get("date").and_then(|date| date.to_str().ok());
            let date = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
            let skew_seconds = date.map(|date| (date.to_utc() - Utc::now()).num_seconds());
            Reached::Answered { status: answer.status().as_u16(), skew_seconds }
        }
    }
}

/// Account and clock.
pub(super) fn checks(config: &Config, reached: &Reached) -> [Check; 2] {
    let url = url(config);
    let name = format!(
        "check SNOWFLAKE_ACCOUNT={}: it is <organization>-<account>, as in SELECT CURRENT_ORGANIZATION_NAME(), \
         CURRENT_ACCOUNT_NAME()",
        config.account
    );
    let account = match reached {
        Reached::Answered { status: 403 | 404, .. } if config.url.is_none() => {
            Check::fault("account", format!("{url} answers, and knows no account of that name"), name)
        }
        Reached::Answered { status, .. } => Check::ok("account", format!("{url} answers ({status})")),
        Reached::Silent(why) => {
            let remedy = format!("{name}; if it is right, look at the network: DNS, proxy (HTTPS_PROXY), firewall");
            Check::fault("account", format!("{url} does not answer: {why}"), remedy)
        }
    };
    let clock = match (reached, reached.skew()) {
        (_, Some(skew)) => {
            let direction = if skew > 0 { "behind" } else { "ahead of" };
            let what = format!("this machine is {} s {direction} the account", skew.abs());
            Check::fault(
                "clock",
                what,
                "set the clock (NTP): a log-in is signed with the time and refused a minute from it",
            )
        }
        (Reached::Answered { skew_seconds: Some(skew), .. }, None) => {
            Check::ok("clock", format!("within {} s", skew.abs().max(1)))
        }
        _ => Check::unknown("clock", "the account did not say what time it is"),
    };
    [account, clock]
}
