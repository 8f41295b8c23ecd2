//! The secret that holds the private key.

use aws_config::{BehaviorVersion, Region};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use landfall_snowflake::Secret;

use crate::aws;
use crate::failure::Failure;

/// Secrets Manager, for one secret.
pub(crate) struct Secrets {
    client: Client,
    id: String,
}

impl Secrets {
    /// In the secret's own region, where its ARN names one; else in that of the environment.
    pub(crate) async fn of(id: &str) -> anyhow::Result<Self> {
        let region = id.strip_prefix("arn:").and_then(|arn| arn.split(':').nth(2)).map(str::to_owned);
        let aws = match region {
            Some(region) => aws_config::defaults(BehaviorVersion::latest()).region(Region::new(region)).load().await,
            None => landfall_aws::aws_config().await?,
        };
        Ok(Self { client: Client::new(&aws), id: id.to_owned() })
    }

    /// Whether it holds anything.
    pub(super) async fn is_set(&self) -> anyhow::Result<bool> {
        let answer = self.client.describe_secret().secret_id(&self.id).send().await;
        let what = format!("failed to look at the secret {}", self.id);
        let answer = answer.map_err(|error| failure(&what, "DescribeSecret", &error))?;
        Ok(answer.version_ids_to_stages().is_some_and(|versions| !versions.is_empty()))
    }

    /// Makes `text` its value.
    pub(super) async fn put(&self, text: &Secret) -> anyhow::Result<()> {
        let put = self.client.put_secret_value().secret_id(&self.id).secret_string(text.expose()).send().await;
        let what = format!("failed to store the private key in {}", self.id);
        put.map_err(|error| failure(&what, "PutSecretValue", &error))?;
        Ok(())
    }

    /// Its value.
    pub(crate) async fn get(&self) -> anyhow::Result<Secret> {
        let answer = self.client.get_secret_value().secret_id(&self.id).send().await;
        let what = format!("failed to read the secret {}", self.id);
        let answer = answer.map_err(|error| failure(&what, "GetSecretValue", &error))?;
        match answer.secret_string() {
            Some(text) => Ok(Secret::new(text)),
            None => Err(Failure {
                what: format!("failed to read the secret {}: it is binary", self.id),
                remedy: "store the private key as text: landfall snowflake keygen --rotate".to_owned(),
            }
            .into()),
        }
    }
}

/// What Secrets Manager refused; where a right is missing, which.
fn failure<E>(what: &str, right: &str, error: &SdkError<E>) -> anyhow::Error
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    if let (Some("ResourceNotFoundException"), Some(said)) = (error.code(), error.message())
        && said.contains("AWSCURRENT")
    {
        // The secret is there: Terraform makes it without a value.
        let remedy = "it holds nothing yet: landfall snowflake keygen --terraform DIR".to_owned();
        return Failure { what: format!("{what}: {said}"), remedy }.into();
    }
    if error.code() != Some("AccessDeniedException") {
        return aws::failure(what, error);
    }
    let said = error.message().unwrap_or("access denied");
    let remedy = format!(
        "use credentials that may do it: secretsmanager:{right} on the secret; where it has a key of its own, also \
         kms:Decrypt and kms:GenerateDataKey on that"
    );
    Failure { what: format!("{what}: {said}"), remedy }.into()
}
