//! Upsert's environment variables.

use landfall_core::config::{ConfigError, PIPELINE_FILE, TIME_SCALE, Timeouts, Variable, Variables};

use crate::private_key;

/// What upsert is told by its environment.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// Path of pipeline.toml.
    pub pipeline_file: String,
    /// Snowflake account.
    pub account: String,
    /// Snowflake user.
    pub user: String,
    /// Where the user's private key is.
    pub private_key: PrivateKey,
    /// Instead of the user's default role.
    pub role: Option<String>,
    /// Instead of the user's default warehouse.
    pub warehouse: Option<String>,
    /// Instead of the account's own URL.
    pub url: Option<String>,
    /// The chain of time-outs.
    pub timeouts: Timeouts,
}

/// Where the private key is. Never in the environment itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrivateKey {
    /// In Secrets Manager, under this name or ARN.
    Secret(String),
    /// In a file: on a laptop.
    File(String),
}

const SNOWFLAKE_ACCOUNT: Variable = Variable {
    name: "SNOWFLAKE_ACCOUNT",
    meaning: "the account identifier, organization-account",
    example: "acme-prod",
    default: None,
};
const SNOWFLAKE_USER: Variable = Variable {
    name: "SNOWFLAKE_USER",
    meaning: "the user of TYPE = SERVICE that upsert logs in as",
    example: "LANDFALL_LOADER",
    default: None,
};
const SNOWFLAKE_PRIVATE_KEY_SECRET: Variable = Variable {
    name: "SNOWFLAKE_PRIVATE_KEY_SECRET",
    meaning: "the name or ARN of the Secrets Manager secret with the user's private key (PKCS#8 PEM); this or the file",
    example: "landfall/snowflake-key",
    default: Some(""),
};
const SNOWFLAKE_PRIVATE_KEY_FILE: Variable = Variable {
    name: "SNOWFLAKE_PRIVATE_KEY_FILE",
    meaning: "the path of a file with the user's private key (PKCS#8 PEM), on a laptop; this or the secret",
    example: "rsa_key.p8",
    default: Some(""),
};
const SNOWFLAKE_ROLE: Variable = Variable {
    name: "SNOWFLAKE_ROLE",
    meaning: "the role to use, if not the user's default",
    example: "LANDFALL_LOADER",
    default: Some(""),
};
const SNOWFLAKE_WAREHOUSE: Variable = Variable {
    name: "SNOWFLAKE_WAREHOUSE",
    meaning: "the warehouse to use, if not the user's default",
    example: "LANDFALL_WH",
    default: Some(""),
};
const SNOWFLAKE_URL: Variable = Variable {
    name: "SNOWFLAKE_URL",
    meaning: "the URL of the account, if not its usual one: PrivateLink, or the local stack",
    example: "https://acme-prod.privatelink.snowflakecomputing.com",
    default: Some(""),
};

/// All of them, for the README's table.
pub const VARIABLES: [Variable; 9] = [
    PIPELINE_FILE,
    SNOWFLAKE_ACCOUNT,
    SNOWFLAKE_USER,
    SNOWFLAKE_PRIVATE_KEY_SECRET,
    SNOWFLAKE_PRIVATE_KEY_FILE,
    SNOWFLAKE_ROLE,
    SNOWFLAKE_WAREHOUSE,
    SNOWFLAKE_URL,
    TIME_SCALE,
];

/// For the message when the key's file cannot be read.
pub(crate) const KEY_FILE: Variable = SNOWFLAKE_PRIVATE_KEY_FILE;

impl Config {
    /// Reads the configuration from an environment.
    ///
    /// # Errors
    /// All missing and malformed variables at once.
    pub fn read(get: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut variables = Variables::new(get);
        let secret = variables.optional(SNOWFLAKE_PRIVATE_KEY_SECRET);
        let file = variables.optional(SNOWFLAKE_PRIVATE_KEY_FILE);
        for (variable, value) in [(SNOWFLAKE_PRIVATE_KEY_SECRET, &secret), (SNOWFLAKE_PRIVATE_KEY_FILE, &file)] {
            // Said without the value, and before anything else could say it.
            if value.as_ref().is_some_and(|value| private_key::looks_like_one(value)) {
                variables.fault(variable, "holds a key, or more than one line, and not where the key is");
            }
        }
        if let Some(path) = file.as_ref().filter(|path| path.starts_with('~')) {
            variables
                .fault(SNOWFLAKE_PRIVATE_KEY_FILE, &format!("is \"{path}\", and only a shell expands ~: write it out"));
        }
        let private_key = match (secret, file) {
            (Some(secret), None) => PrivateKey::Secret(secret),
            (None, Some(file)) => PrivateKey::File(file),
            (Some(secret), Some(_)) => {
                variables.fault(SNOWFLAKE_PRIVATE_KEY_FILE, "is set, and so is SNOWFLAKE_PRIVATE_KEY_SECRET");
                PrivateKey::Secret(secret)
            }
            (None, None) => {
                variables.fault(SNOWFLAKE_PRIVATE_KEY_SECRET, "is not set");
                PrivateKey::Secret(String::new())
            }
        };
        let url = variables.optional(SNOWFLAKE_URL);
        if url.as_ref().is_some_and(|url| !url.starts_with("https://") && !url.starts_with("http://127.0.0.1:")) {
            variables.fault(SNOWFLAKE_URL, "is no https:// URL (http:// is for the local stack alone)");
        }
        if url.as_ref().is_some_and(|url| url.starts_with("https://app.snowflake.com")) {
            variables.fault(SNOWFLAKE_URL, "is the URL of the console in a browser, and rarely needed: leave it out");
        }
        let account = variables.text(SNOWFLAKE_ACCOUNT);
        if let Some(what) = account_fault(&account) {
            variables.fault(SNOWFLAKE_ACCOUNT, &what);
        }
        let config = Self {
            pipeline_file: variables.text(PIPELINE_FILE),
            account,
            user: variables.text(SNOWFLAKE_USER),
            private_key,
            role: variables.optional(SNOWFLAKE_ROLE),
            warehouse: variables.optional(SNOWFLAKE_WAREHOUSE),
            url,
            timeouts: Timeouts::scaled(variables.factor(TIME_SCALE)),
        };
        variables.finish()?;
        Ok(config)
    }
}

/// What keeps a text from being an account identifier, and the identifier that was meant.
pub fn account_fault(value: &str) -> Option<String> {
    let is_identifier = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
    if is_identifier(value) && !value.contains(".snowflakecomputing.") {
        return None;
    }
    let bare = value.trim_matches(|c: char| c.is_whitespace() || "\"'".contains(c));
    let bare = bare.split_once("://").map_or(bare, |(_, rest)| rest);
    let mut parts = bare.split('/');
    let account = match (parts.next(), parts.next(), parts.next()) {
        // The console has both in its path.
        (Some("app.snowflake.com"), Some(organization), Some(account)) => format!("{organization}-{account}"),
        (Some(host), ..) => {
            let account = host.split(".snowflakecomputing.").next().unwrap_or(host);
            account.strip_suffix(".privatelink").unwrap_or(account).to_owned()
        }
        (None, ..) => String::new(),
    };
    let mut what = format!("is \"{value}\", not just an account");
    if !account.is_empty() && is_identifier(&account) && account != "app.snowflake.com" {
        what.push_str(&format!(": write {account}"));
    }
    if value.contains(".privatelink.") {
        what.push_str(", and the URL as SNOWFLAKE_URL");
    }
    Some(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Config, String> {
        let get = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Config::read(&get).map_err(|error| error.to_string())
    }

    #[test]
    fn account_user_and_key_are_enough() {
        let config =
            read(&[("SNOWFLAKE_ACCOUNT", "a"), ("SNOWFLAKE_USER", "u"), ("SNOWFLAKE_PRIVATE_KEY_SECRET", "s")])
                .unwrap();

        assert_eq!(config.private_key, PrivateKey::Secret("s".to_owned()));
        assert_eq!((config.role, config.warehouse, config.url), (None, None, None));
    }

    #[test]
    fn every_fault_is_named_with_an_example() {
        insta::assert_snapshot!(read(&[]).unwrap_err(), @"
        failed to read the configuration
          SNOWFLAKE_PRIVATE_KEY_SECRET is not set; set it to the name or ARN of the Secrets Manager secret with the user's private key (PKCS#8 PEM); this or the file, for example SNOWFLAKE_PRIVATE_KEY_SECRET=landfall/snowflake-key
          SNOWFLAKE_ACCOUNT is not set; set it to the account identifier, organization-account, for example SNOWFLAKE_ACCOUNT=acme-prod
          SNOWFLAKE_USER is not set; set it to the user of TYPE = SERVICE that upsert logs in as, for example SNOWFLAKE_USER=LANDFALL_LOADER
        ");
    }

    #[test]
    fn a_url_is_encrypted_or_local() {
        let with = |url| {
            read(&[
                ("SNOWFLAKE_ACCOUNT", "a"),
                ("SNOWFLAKE_USER", "u"),
                ("SNOWFLAKE_PRIVATE_KEY_FILE", "f"),
                ("SNOWFLAKE_URL", url),
            ])
        };
        assert!(with("https://a.example").is_ok() && with("http://127.0.0.1:1").is_ok());
        let console = with("https://app.snowflake.com/acme/prod").unwrap_err();
        assert!(console.contains("SNOWFLAKE_URL is the URL of the console in a browser"), "{console}");
        for url in ["foo", "http://a.example"] {
            let error = with(url).unwrap_err();
            assert!(error.contains("SNOWFLAKE_URL is no https:// URL") && error.contains("for example"), "{error}");
        }
    }

    #[test]
    fn a_key_comes_from_one_place() {
        let error = read(&[("SNOWFLAKE_PRIVATE_KEY_FILE", "f"), ("SNOWFLAKE_PRIVATE_KEY_SECRET", "s")]).unwrap_err();
        assert!(error.contains("SNOWFLAKE_PRIVATE_KEY_FILE is set, and so is"), "{error}");
    }

    #[test]
    fn an_account_is_given_by_its_bare_identifier() {
        let with = |account| {
            read(&[("SNOWFLAKE_ACCOUNT", account), ("SNOWFLAKE_USER", "u"), ("SNOWFLAKE_PRIVATE_KEY_SECRET", "s")])
        };
        let cases = [
            ("https://acme-prod.snowflakecomputing.com", "write acme-prod"),
            ("https://acme-prod.snowflakecomputing.com/console", "write acme-prod"),
            ("acme-prod.snowflakecomputing.com", "write acme-prod"),
            ("https://xy12345.eu-central-1.snowflakecomputing.com", "write xy12345.eu-central-1"),
            ("https://app.snowflake.com/acme/prod/#/homepage", "write acme-prod"),
            ("acme-prod.privatelink.snowflakecomputing.com", "write acme-prod, and the URL as SNOWFLAKE_URL"),
            (" acme-prod", "write acme-prod"),
            ("\"acme-prod\"", "write acme-prod"),
        ];
        for (account, remedy) in cases {
            let error = with(account).unwrap_err();
            let expected = format!(
                "SNOWFLAKE_ACCOUNT is \"{account}\", not just an account: {remedy}; set it to the account identifier, \
                 organization-account, for example SNOWFLAKE_ACCOUNT=acme-prod"
            );
            assert!(error.contains(&expected), "{error}");
        }
        for account in ["acme-prod", "ACME-PROD_2", "xy12345.eu-central-1", "xy12345.us-east-2.aws", "local"] {
            assert!(with(account).is_ok(), "{account}");
        }
    }

    #[test]
    fn a_key_where_its_place_belongs_is_not_shown() {
        let key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----";
        let base64 = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC".repeat(50);
        for name in ["SNOWFLAKE_PRIVATE_KEY_FILE", "SNOWFLAKE_PRIVATE_KEY_SECRET"] {
            for key in [key, &base64] {
                let error = read(&[("SNOWFLAKE_ACCOUNT", "a"), ("SNOWFLAKE_USER", "u"), (name, key)]).unwrap_err();
                assert!(
                    error.contains(&format!("{name} holds a key, or more than one line, and not where")),
                    "{error}"
                );
                assert!(!error.contains("MIIEvQ"), "{error}");
            }
        }
    }

    #[test]
    fn a_path_that_only_a_shell_understands_is_named() {
        let file = ("SNOWFLAKE_PRIVATE_KEY_FILE", "~/rsa_key.p8");
        let error = read(&[("SNOWFLAKE_ACCOUNT", "a"), ("SNOWFLAKE_USER", "u"), file]).unwrap_err();
        assert!(error.contains("is \"~/rsa_key.p8\", and only a shell expands ~: write it out; set it to"), "{error}");
    }
}
