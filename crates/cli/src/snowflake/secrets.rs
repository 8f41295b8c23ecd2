//! The secret that holds the private key.

use aws_config::{BehaviorVersion, Region};
use aws_sdk_secretsmanager::Client;
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
        let answer =
            answer.map_err(|error| aws::failure(&format!("failed to look at the secret {}", self.id), &error))?;
        Ok(answer.version_ids_to_stages().is_some_and(|versions| !versions.is_empty()))
    }

    /// Makes `text` its value.
    pub(super) async fn put(&self, text: &Secret) -> anyhow::Result<()> {
        let put = self.client.put_secret_value().secret_id(&self.id).secret_string(text.expose()).send().await;
        put.map_err(|error| aws::failure(&format!("failed to store the private key in {}", self.id), &error))?;
        Ok(())
    }

    /// Its value.
    pub(crate) async fn get(&self) -> anyhow::Result<Secret> {
        let answer = self.client.get_secret_value().secret_id(&self.id).send().await;
        let answer = answer.map_err(|error| aws::failure(&format!("failed to read the secret {}", self.id), &error))?;
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
