//! What the functions share of AWS: region and credentials at cold start, what a refusal means and what to do about it, and
//! what becomes of a batch or an invocation that met one, and how much time it has.

mod deadline;
mod port;
mod refusal;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::ProvideCredentials as _;
use landfall_core::config::{StartError, check_aws};
use landfall_core::root_cause;

pub use deadline::Deadline;
pub use port::{Fate, PortError};
pub use refusal::Refusal;

/// The region and the credentials that the environment or a profile names, found now and not at the first request.
///
/// In Lambda both stand in the environment, so this costs nothing there.
///
/// # Errors
/// A setup fault: neither region nor credentials can be guessed.
pub async fn aws_config() -> Result<SdkConfig, StartError> {
    let sdk = aws_config::defaults(BehaviorVersion::latest()).load().await;
    let no_credentials = match sdk.credentials_provider() {
        Some(provider) => provider.provide_credentials().await.err().map(|error| root_cause(&error)),
        None => Some("there is no provider of any".to_owned()),
    };
    check_aws(sdk.region().is_some(), no_credentials)?;
    Ok(sdk)
}
