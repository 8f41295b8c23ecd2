//! The orchestrator's environment variables.

use landfall_core::config::{ConfigError, LANDING_BUCKET, PIPELINE_FILE, TIME_SCALE, Timeouts, Variable, Variables};

/// What the orchestrator is told by its environment.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// Bucket of the landing zone and of the dead letters.
    pub landing_bucket: String,
    /// Path of pipeline.toml.
    pub pipeline_file: String,
    /// Whether rows are landed in S3.
    pub landing: bool,
    /// The upsert function to invoke; `None` when rows are not upserted.
    pub upsert_function: Option<String>,
    /// The chain of time-outs.
    pub timeouts: Timeouts,
}

const LANDING: Variable = Variable {
    name: "LANDING",
    meaning: "on, or off where Firehose writes the CSV objects, or nobody (dead letters are written, and redriven documents \
              landed, all the same)",
    example: "off",
    default: Some("on"),
};
const UPSERT: Variable = Variable {
    name: "UPSERT",
    meaning: "on, or off to invoke no upsert function",
    example: "off",
    default: Some("on"),
};
const UPSERT_FUNCTION: Variable = Variable {
    name: "UPSERT_FUNCTION",
    meaning: "the name or ARN of the upsert function (not needed with UPSERT=off)",
    example: "landfall-upsert",
    default: None,
};

/// All of them, for the README's table.
pub const VARIABLES: [Variable; 6] = [LANDING_BUCKET, PIPELINE_FILE, LANDING, UPSERT, UPSERT_FUNCTION, TIME_SCALE];

impl Config {
    /// Reads the configuration from an environment.
    ///
    /// # Errors
    /// All missing and malformed variables at once.
    pub fn read(get: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut variables = Variables::new(get);
        let landing = variables.switch(LANDING);
        let upsert = variables.switch(UPSERT);
        if !landing && !upsert {
            variables.fault(LANDING, "is off and so is UPSERT, which leaves nowhere for rows to go");
        }
        let landing_bucket = variables.bucket(LANDING_BUCKET);
        let upsert_function = upsert.then(|| variables.text(UPSERT_FUNCTION));
        if let Some(url) = upsert_function.as_ref().filter(|name| name.contains("://")) {
            variables.fault(UPSERT_FUNCTION, &format!("is \"{url}\", a URL"));
        }
        let config = Self {
            landing_bucket,
            pipeline_file: variables.text(PIPELINE_FILE),
            landing,
            upsert_function,
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
    fn what_is_needed_is_enough() {
        let config = read(&[("LANDING_BUCKET", "b"), ("UPSERT_FUNCTION", "u")]).unwrap();

        assert_eq!(config.pipeline_file, "pipeline.toml");
        assert_eq!(config.upsert_function.as_deref(), Some("u"));
        assert!(config.landing);
    }

    #[test]
    fn upsert_off_needs_no_function() {
        let config = read(&[("LANDING_BUCKET", "b"), ("UPSERT", "off")]).unwrap();
        assert_eq!(config.upsert_function, None);
    }

    #[test]
    fn every_fault_is_named_with_an_example() {
        let error = read(&[("UPSERT", "yes"), ("LANDFALL_TIME_SCALE", "20")]).unwrap_err();
        insta::assert_snapshot!(error, @r#"
        failed to read the configuration
          UPSERT is "yes", neither on nor off; set it to on, or off to invoke no upsert function, for example UPSERT=off
          LANDING_BUCKET is not set; set it to the bucket of the landing zone and of the dead letters, for example LANDING_BUCKET=acme-landing-zone
          LANDFALL_TIME_SCALE is "20", no number above 0 and up to 10; set it to a factor on all time-outs, for tests; functions that work together share it, for example LANDFALL_TIME_SCALE=0.1
        "#);
    }

    #[test]
    fn rows_must_go_somewhere() {
        let error = read(&[("LANDING_BUCKET", "b"), ("LANDING", "off"), ("UPSERT", "off")]).unwrap_err();
        assert!(error.contains("LANDING is off and so is UPSERT"), "{error}");
    }

    #[test]
    fn a_bucket_is_given_by_its_bare_name() {
        let fault = |bucket| {
            let error = read(&[("LANDING_BUCKET", bucket), ("UPSERT", "off")]).unwrap_err();
            error.lines().nth(1).unwrap().split("; set it to").next().unwrap().trim().to_owned()
        };
        let cases = [
            ("s3://acme", "write acme"),
            ("s3://acme/raw/", "write acme, and the prefix into pipeline.toml, as [landing] prefix"),
            ("arn:aws:s3:::acme", "write acme"),
            ("arn:aws-cn:s3:::acme/*", "write acme"),
            ("acme/raw", "write acme, and the prefix into pipeline.toml, as [landing] prefix"),
            (" acme", "write acme"),
            ("\"acme\"", "write acme"),
        ];
        for (bucket, remedy) in cases {
            assert_eq!(fault(bucket), format!("LANDING_BUCKET is \"{bucket}\", not just a bucket's name: {remedy}"));
        }
        let url = "https://acme.s3.amazonaws.com/";
        assert_eq!(fault(url), format!("LANDING_BUCKET is \"{url}\", not just a bucket's name"));
        for bucket in ["acme-landing.zone_1", "arn:aws:s3:us-east-1:123456789012:accesspoint/landing"] {
            assert!(read(&[("LANDING_BUCKET", bucket), ("UPSERT", "off")]).is_ok(), "{bucket}");
        }
    }

    #[test]
    fn a_function_is_given_by_name_or_arn() {
        let with = |function| read(&[("LANDING_BUCKET", "b"), ("UPSERT_FUNCTION", function)]);
        assert!(with("arn:aws:lambda:us-east-1:123456789012:function:landfall-upsert").is_ok());
        let error = with("https://x.lambda-url.us-east-1.on.aws").unwrap_err();
        assert!(error.contains(
            "UPSERT_FUNCTION is \"https://x.lambda-url.us-east-1.on.aws\", a URL; set it to the name or ARN"
        ));
    }
}
