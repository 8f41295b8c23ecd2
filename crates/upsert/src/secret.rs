//! Where the private key comes from.

use landfall_aws::{Refusal, aws_config};
use landfall_core::config::{self, StartError};
use landfall_snowflake::Secret;
use zeroize::Zeroizing;

use crate::config::{KEY_FILE, PrivateKey};
use crate::private_key::{KeyFault, fault};

/// Fetches the private key, once at cold start.
///
/// # Errors
/// What to change: the secret's name, the function's rights, the file's path, the key itself.
pub(crate) async fn private_key(private_key: &PrivateKey) -> Result<Secret, StartError> {
    let (place, file, text) = match private_key {
        PrivateKey::File(path) => (format!("SNOWFLAKE_PRIVATE_KEY_FILE={path}"), path.as_str(), from_file(path)?),
        PrivateKey::Secret(id) => {
            (format!("SNOWFLAKE_PRIVATE_KEY_SECRET={id}"), "<key>", from_secrets_manager(id).await?)
        }
    };
    match fault(&text) {
        // Some editors begin a file with a byte order mark.
        None => Ok(Secret::new(text.trim_start_matches('\u{feff}'))),
        Some(KeyFault { what, remedy }) => {
            let remedy = remedy.replace("<key>", file);
            Err(port(format!("failed to use the private key of {place}: it is {what}; {remedy}")))
        }
    }
}

fn from_file(path: &str) -> Result<Zeroizing<String>, StartError> {
    // A key in DER is no text, and is to be told from a file that cannot be read.
    let read = |path: &str| {
        let bytes = Zeroizing::new(std::fs::read(path)?);
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    config::file(KEY_FILE, path, read).map(Zeroizing::new)
}

/// Nothing overwrites the copies in the buffers of the HTTP client, which are gone when this returns.
async fn from_secrets_manager(id: &str) -> Result<Zeroizing<String>, StartError> {
    let client = aws_sdk_secretsmanager::Client::new(&aws_config().await?);
    let secret = client.get_secret_value().secret_id(id).send().await;
    let secret = secret.map_err(|error| refused(id, &Refusal::new(&error)))?;
    secret.secret_string.map(Zeroizing::new).ok_or_else(|| {
        port(format!("failed to use the secret {id}: it is binary; store the private key as text (PKCS#8 PEM)"))
    })
}

fn refused(id: &str, refusal: &Refusal) -> StartError {
    // Terraform makes it without a value. Source: Secrets Manager's answer to GetSecretValue for a secret that has none,
    // "can't find the specified secret value for staging label: AWSCURRENT".
    if refusal.code == "ResourceNotFoundException" && refusal.said.contains("AWSCURRENT") {
        let remedy = "it holds nothing yet: landfall snowflake keygen --terraform DIR makes a key and stores it";
        return port(format!("failed to fetch the secret {id}; {remedy}: {}", refusal.said));
    }
    let remedy = refusal.remedy(Some("AWS_ENDPOINT_URL_SECRETS_MANAGER")).unwrap_or_else(|| {
        "check SNOWFLAKE_PRIVATE_KEY_SECRET and that it is in this region, for example \
         SNOWFLAKE_PRIVATE_KEY_SECRET=landfall/snowflake-key, and allow the function's role \
         secretsmanager:GetSecretValue on it (and kms:Decrypt, if it has a key of its own)"
            .to_owned()
    });
    port(format!("failed to fetch the secret {id}; {remedy}: {}", refusal.said))
}

fn port(what: String) -> StartError {
    StartError::Port { what, source: None }
}
