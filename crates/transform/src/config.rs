//! The transform function's environment variables.

use landfall_core::config::{ConfigError, LANDING_BUCKET, PIPELINE_FILE, TIME_SCALE, Timeouts, Variable, Variables};

/// What the transform function is told by its environment.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// Bucket of the landing zone and of the dead letters.
    pub landing_bucket: String,
    /// Path of pipeline.toml.
    pub pipeline_file: String,
    /// The chain of time-outs.
    pub timeouts: Timeouts,
}

/// All of them, for the README's table.
pub const VARIABLES: [Variable; 3] = [LANDING_BUCKET, PIPELINE_FILE, TIME_SCALE];

impl Config {
    /// Reads the configuration from an environment.
    ///
    /// # Errors
    /// All missing and malformed variables at once.
    pub fn read(get: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut variables = Variables::new(get);
        let config = Self {
            landing_bucket: variables.bucket(LANDING_BUCKET),
            pipeline_file: variables.text(PIPELINE_FILE),
            timeouts: Timeouts::scaled(variables.factor(TIME_SCALE)),
        };
        variables.finish()?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Config, String> {
        let get = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Config::read(&get).map_err(|error| error.to_string())
    }

    #[test]
    fn a_bucket_is_enough() {
        let config = read(&[("LANDING_BUCKET", "b")]).unwrap();
        assert_eq!((config.landing_bucket.as_str(), config.pipeline_file.as_str()), ("b", "pipeline.toml"));
    }

    #[test]
    fn every_fault_of_the_transform_functions_variables_is_named_with_an_example() {
        let error = read(&[("LANDING_BUCKET", "s3://b"), ("LANDFALL_TIME_SCALE", "0")]).unwrap_err();
        insta::assert_snapshot!(error, @r#"
        failed to read the configuration
          LANDING_BUCKET is "s3://b", not just a bucket's name: write b; set it to the bucket of the landing zone and of the dead letters, for example LANDING_BUCKET=acme-landing-zone
          LANDFALL_TIME_SCALE is "0", no number above 0 and up to 10; set it to a factor on all time-outs, for tests; functions that work together share it, for example LANDFALL_TIME_SCALE=0.1
        "#);
    }
}
