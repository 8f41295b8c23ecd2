//! Snowflake's side: the key, the account, the clock, the log-in, and what the service user can do.

use std::iter;

use landfall_core::Pipeline;
use landfall_snowflake::ddl::Settings;
use landfall_snowflake::key::PublicKey;
use landfall_snowflake::provision::{self, Check};
use landfall_upsert::config::{Config, PrivateKey};

use super::{fault, log_in, probe, refused};
use crate::snowflake::outputs::Outputs;
use crate::snowflake::{Named, service_environment};

const ACCOUNT: [&str; 4] = ["secret", "account", "clock", "log-in"];
const INSIDE: [&str; 6] = ["rights", "warehouse", "tables", "a row", "stage", "pipe"];

/// The account, from the outside in; and where its pipe hears of objects, if that could be seen.
pub(super) async fn checks(outputs: &Outputs, pipeline: Option<&Pipeline>) -> (Vec<Check>, Option<String>) {
    let unknown = |why: &str| ACCOUNT.iter().chain(&INSIDE).map(|what| Check::unknown(what, why)).collect::<Vec<_>>();
    let get = service_environment(outputs, Named::default());
    if get("SNOWFLAKE_ACCOUNT").is_none() {
        return (unknown("SNOWFLAKE_ACCOUNT is not set"), None);
    }
    let config = match Config::read(&get) {
        Ok(config) => config,
        Err(error) => {
            let mut checks = vec![fault("variables", &error.into(), "set them as it says")];
            checks.extend(unknown("the variables above are at fault"));
            return (checks, None);
        }
    };
    let Some(pipeline) = pipeline else { return (unknown("pipeline.toml is at fault"), None) };

    let mut checks = Vec::new();
    let key = match &config.private_key {
        PrivateKey::Secret(id) => secret(id).await,
        PrivateKey::File(path) => file(path),
    };
    let public_key = match key {
        Ok((check, key)) => {
            checks.push(check);
            Some(key)
        }
        Err(check) => {
            checks.push(check);
            None
        }
    };
    let reached = probe::probe(&config).await;
    checks.extend(probe::checks(&config, &reached));
    let silent = matches!(reached, probe::Reached::Silent(_)).then_some("the account does not answer");
    let nobody =
        |log_in: Check| iter::once(log_in).chain(INSIDE.map(|what| Check::unknown(what, "nobody is logged in")));
    let Some(public_key) = public_key.filter(|_| silent.is_none()) else {
        checks.extend(nobody(Check::unknown("log-in", silent.unwrap_or("there is no key to log in with"))));
        return (checks, None);
    };

    let settings = Settings {
        // Without a name it is the user's default, as it is for the function.
        loader_role: config.role.clone().unwrap_or_default(),
        warehouse: config.warehouse.clone().unwrap_or_default(),
        ..Settings::default()
    };
    let (account, user) = (config.account.clone(), config.user.clone());
    let session = match landfall_upsert::session(config, pipeline).await {
        Ok(session) => session,
        Err(error) => {
            checks.extend(nobody(fault("log-in", &error.into(), "check the key")));
            return (checks, None);
        }
    };
    if let Err(error) = session.log_in().await {
        let evidence = log_in::Evidence { account: &account, user: &user, key: &public_key, skew: reached.skew() };
        let (what, remedy) = log_in::diagnosed(&error, &evidence);
        checks.extend(nobody(Check::fault("log-in", what, remedy)));
        return (checks, None);
    }
    checks.extend(provision::verify(&session, &settings, pipeline).await);
    let channel = provision::notification_channel(&session, pipeline).await;
    (checks, channel.ok().flatten())
}

/// The secret, and whether a key is in it.
async fn secret(id: &str) -> Result<(Check, PublicKey), Check> {
    const WHAT: &str = "secret";
    let remedy = "landfall snowflake keygen makes a key and stores it";
    let read = async { crate::snowflake::Secrets::of(id).await?.get().await };
    let text = read.await.map_err(|error| refused(WHAT, &error, "secretsmanager:GetSecretValue", remedy))?;
    let key = PublicKey::of_private(&text).map_err(|error| Check::fault(WHAT, error.to_string(), remedy))?;
    Ok((Check::ok(WHAT, format!("a key, {}", key.fingerprint)), key))
}

fn file(path: &str) -> Result<(Check, PublicKey), Check> {
    const WHAT: &str = "secret";
    let remedy = "landfall snowflake keygen --file makes one";
    let text = std::fs::read_to_string(path)
        .map_err(|error| Check::fault(WHAT, format!("failed to read {path}: {error}"), remedy))?;
    let key = PublicKey::of_private(&landfall_snowflake::Secret::new(text))
        .map_err(|error| Check::fault(WHAT, error.to_string(), remedy))?;
    Ok((Check::ok(WHAT, format!("the file {path}, {}", key.fingerprint)), key))
}
