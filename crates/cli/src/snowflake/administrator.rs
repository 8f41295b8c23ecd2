//! Who sets an account up: an administrator, named by environment variables. No secret is ever an argument.

use std::time::Duration;

use landfall_core::Pipeline;
use landfall_core::config::{ConfigError, Variable, Variables};
use landfall_snowflake::ddl::Settings;
use landfall_snowflake::{Config, Credentials, Secret, Session};

/// How long Snowflake lets a statement run.
const STATEMENT_TIME_OUT: Duration = Duration::from_secs(120);

const ACCOUNT: Variable = Variable {
    name: "SNOWFLAKE_ACCOUNT",
    meaning: "the account identifier, organization-account (or have Terraform's outputs name it)",
    example: "acme-prod",
    default: None,
};
const URL: Variable = Variable {
    name: "SNOWFLAKE_URL",
    meaning: "the URL of the account, if not its usual one",
    example: "https://acme-prod.privatelink.snowflakecomputing.com",
    default: Some(""),
};
const USER: Variable = Variable {
    name: "SNOWFLAKE_ADMIN_USER",
    meaning: "a user who may use the role ACCOUNTADMIN",
    example: "ADA",
    default: None,
};
const ROLE: Variable = Variable {
    name: "SNOWFLAKE_ADMIN_ROLE",
    meaning: "the role that makes roles, users, integrations and databases",
    example: "ACCOUNTADMIN",
    default: Some("ACCOUNTADMIN"),
};
const KEY_FILE: Variable = Variable {
    name: "SNOWFLAKE_ADMIN_PRIVATE_KEY_FILE",
    meaning: "the path of a file with that user's private key (PKCS#8 PEM); this, SNOWFLAKE_ADMIN_PASSWORD or \
              SNOWFLAKE_ADMIN_TOKEN",
    example: "admin_key.p8",
    default: Some(""),
};
const PASSWORD: Variable = Variable {
    name: "SNOWFLAKE_ADMIN_PASSWORD",
    meaning: "that user's password, or a programmatic access token in its place",
    example: "...",
    default: Some(""),
};
const PASSCODE: Variable = Variable {
    name: "SNOWFLAKE_ADMIN_PASSCODE",
    meaning: "with a password: the six digits that the authenticator shows now",
    example: "123456",
    default: Some(""),
};
const TOKEN: Variable =
    Variable { name: "SNOWFLAKE_ADMIN_TOKEN", meaning: "an OAuth access token", example: "...", default: Some("") };

/// A session of the administrator's, not logged in yet. The settings get the role that it has.
///
/// # Errors
/// What of the environment is missing, all at once.
pub(super) fn session(
    get: &dyn Fn(&str) -> Option<String>,
    pipeline: &Pipeline,
    settings: &mut Settings,
) -> anyhow::Result<Session> {
    let config = config(get, pipeline)?;
    if let Some(role) = &config.role {
        settings.administrator_role.clone_from(role);
    }
    Ok(Session::new(config)?.as_administrator())
}

fn config(get: &dyn Fn(&str) -> Option<String>, pipeline: &Pipeline) -> Result<Config, ConfigError> {
    let mut variables = Variables::new(get);
    let account = variables.text(ACCOUNT);
    if let Some(what) = landfall_upsert::config::account_fault(&account) {
        variables.fault(ACCOUNT, &what);
    }
    let url = variables.optional(URL);
    if url.as_ref().is_some_and(|url| !url.starts_with("https://") && !url.starts_with("http://127.0.0.1:")) {
        variables.fault(URL, "is no https:// URL");
    }
    let user = variables.text(USER);
    let role = variables.text(ROLE);
    let secrets = [KEY_FILE, PASSWORD, TOKEN].map(|variable| variables.optional(variable));
    let passcode = variables.optional(PASSCODE).map(Secret::new);
    let credentials = match secrets {
        [Some(path), None, None] => match std::fs::read_to_string(&path) {
            Ok(pem) => Credentials::PrivateKey(Secret::new(pem)),
            Err(error) => {
                variables.fault(KEY_FILE, &format!("cannot be read ({error})"));
                Credentials::OAuth(Secret::new(""))
            }
        },
        [None, Some(password), None] => Credentials::Password { password: Secret::new(password), passcode },
        [None, None, Some(token)] => Credentials::OAuth(Secret::new(token)),
        given => {
            let is_any = given.iter().any(Option::is_some);
            variables.fault(KEY_FILE, if is_any { "is not the only secret that is set" } else { "is not set" });
            Credentials::OAuth(Secret::new(""))
        }
    };
    variables.finish()?;
    Ok(Config {
        account,
        user,
        credentials,
        base_url: url,
        role: Some(role),
        warehouse: None,
        database: None,
        schema: None,
        query_tag: format!("landfall/{}", pipeline.name),
        statement_timeout: STATEMENT_TIME_OUT,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Config, String> {
        let get = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let pipeline = Pipeline::from_toml(crate::pipeline_file::PIPELINE).unwrap();
        config(&get, &pipeline).map_err(|error| error.to_string())
    }

    #[test]
    fn each_way_in_is_taken_and_no_two_at_once() {
        let who = [("SNOWFLAKE_ACCOUNT", "acme-prod"), ("SNOWFLAKE_ADMIN_USER", "ADA")];
        let with = |more: &[(&str, &str)]| read(&[&who[..], more].concat());

        let password = with(&[("SNOWFLAKE_ADMIN_PASSWORD", "p"), ("SNOWFLAKE_ADMIN_PASSCODE", "1")]).unwrap();
        assert_eq!(password.role.as_deref(), Some("ACCOUNTADMIN"));
        let expected = Credentials::Password { password: Secret::new("p"), passcode: Some(Secret::new("1")) };
        assert_eq!(password.credentials, expected);
        let shown =
            format!("{:?}", with(&[("SNOWFLAKE_ADMIN_PASSWORD", "hidden-p"), ("SNOWFLAKE_ADMIN_PASSCODE", "314159")]));
        assert!(!shown.contains("314159") && !shown.contains("hidden-p"), "{shown}");
        let token = with(&[("SNOWFLAKE_ADMIN_TOKEN", "t"), ("SNOWFLAKE_ADMIN_ROLE", "R")]).unwrap();
        assert_eq!((token.credentials, token.role.as_deref()), (Credentials::OAuth(Secret::new("t")), Some("R")));
        let both =
            with(&[("SNOWFLAKE_ADMIN_TOKEN", "hidden-t"), ("SNOWFLAKE_ADMIN_PASSWORD", "hidden-p")]).unwrap_err();
        assert!(both.contains("is not the only secret that is set") && !both.contains("hidden"), "{both}");
    }

    #[test]
    fn what_is_not_set_is_named_all_at_once() {
        let error = read(&[]).unwrap_err();
        for name in ["SNOWFLAKE_ACCOUNT", "SNOWFLAKE_ADMIN_USER", "SNOWFLAKE_ADMIN_PRIVATE_KEY_FILE"] {
            assert!(error.contains(&format!("{name} is not set")), "{error}");
        }
    }
}
