//! Where the private key comes from.

use aws_config::BehaviorVersion;
use landfall_core::config::{self, StartError};
use landfall_snowflake::Secret;

use crate::config::{KEY_FILE, PrivateKey};

/// Fetches the private key, once at cold start.
///
/// # Errors
/// What to change: the secret's name, the function's rights, the file's path.
pub(crate) async fn private_key(private_key: &PrivateKey) -> Result<Secret, StartError> {
    match private_key {
        PrivateKey::File(path) => config::file(KEY_FILE, path, |path| std::fs::read_to_string(path)).map(Secret::new),
        PrivateKey::Secret(id) => from_secrets_manager(id).await,
    }
}

async fn from_secrets_manager(id: &str) -> Result<Secret, StartError> {
    let sdk = aws_config::defaults(BehaviorVersion::latest()).load().await;
    let client = aws_sdk_secretsmanager::Client::new(&sdk);
    let secret = client.get_secret_value().secret_id(id).send().await.map_err(|error| StartError::Port {
        what: format!(
            "failed to fetch the secret {id}; check SNOWFLAKE_PRIVATE_KEY_SECRET, and allow the function's role \
             secretsmanager:GetSecretValue on it"
        ),
        source: Some(error.into_source().unwrap_or_else(Into::into)),
    })?;
    secret.secret_string().map(Secret::new).ok_or_else(|| StartError::Port {
        what: format!("failed to use the secret {id}: it is binary; store the private key as text (PKCS#8 PEM)"),
        source: None,
    })
}
