//! The functions, as the local Lambda hosts them.

use std::path::Path;

use landfall_core::config::Timeouts;

use super::{BUCKET, Endpoints, ORCHESTRATOR, Settings, TRANSFORM, UPSERT};
use crate::lambda::Function;
use crate::snowflake;

/// `endpoints` is where they are to find the services.
pub(super) fn functions(settings: &Settings, dir: &Path, pipeline_file: &Path, endpoints: &Endpoints) -> Vec<Function> {
    let timeouts = Timeouts::scaled(settings.time_scale);
    let pipeline_file = pipeline_file.display().to_string();
    let time_scale = settings.time_scale.to_string();
    let function = |name: &str, role: &str, timeout, env: &[(&str, &str)]| {
        let common = [("PIPELINE_FILE", pipeline_file.as_str()), ("LANDFALL_TIME_SCALE", &time_scale)];
        let mut args = settings.args.clone();
        args.push(role.to_owned());
        Function {
            name: name.to_owned(),
            program: settings.program.clone(),
            args,
            env: common.iter().chain(env).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            timeout,
            memory_mb: 128,
            concurrency: settings.concurrency,
            log_file: dir.join("logs").join(format!("{role}.log")),
        }
    };
    let key_file = endpoints.key_file.display().to_string();
    // Firehose lands what there is to land; dead letters are the orchestrator's too.
    let landing = if settings.firehose { "off" } else { "on" };
    let mut functions = vec![
        function(
            ORCHESTRATOR,
            "orchestrator",
            timeouts.orchestrator_function(),
            &[
                ("LANDING_BUCKET", BUCKET),
                ("LANDING", landing),
                ("UPSERT_FUNCTION", UPSERT),
                ("AWS_ENDPOINT_URL_S3", &endpoints.s3),
                ("AWS_ENDPOINT_URL_LAMBDA", &endpoints.lambda),
            ],
        ),
        function(
            UPSERT,
            "upsert",
            timeouts.upsert_function(),
            &[
                ("SNOWFLAKE_ACCOUNT", snowflake::ACCOUNT),
                ("SNOWFLAKE_USER", snowflake::USER),
                ("SNOWFLAKE_PRIVATE_KEY_FILE", &key_file),
                ("SNOWFLAKE_URL", &endpoints.snowflake),
            ],
        ),
    ];
    if settings.firehose {
        functions.push(function(
            TRANSFORM,
            "transform",
            timeouts.transform_function(),
            &[("LANDING_BUCKET", BUCKET), ("AWS_ENDPOINT_URL_S3", &endpoints.s3)],
        ));
    }
    functions
}
