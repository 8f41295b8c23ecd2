//! The one pair of keys that the local S3 takes.

use async_trait::async_trait;
use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Result, s3_error};

use super::{ACCESS_KEY, SECRET_KEY};

/// Takes [`ACCESS_KEY`] with [`SECRET_KEY`], and says so of any other.
#[derive(Debug)]
pub(super) struct OnePair;

// The trait is `s3s`'s own and made with this macro; ours are not.
#[async_trait]
impl S3Auth for OnePair {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == ACCESS_KEY {
            return Ok(SECRET_KEY.into());
        }
        // What S3 answers; `s3s` itself would say `NotSignedUp`.
        Err(s3_error!(InvalidAccessKeyId, "the local S3 takes AWS_ACCESS_KEY_ID={ACCESS_KEY} alone"))
    }
}
