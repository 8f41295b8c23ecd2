//! What a function process finds in its environment.

use std::net::SocketAddr;

use tokio::process::Command;

use super::Function;
use crate::s3::{ACCESS_KEY, SECRET_KEY};

pub(super) const REGION: &str = "us-east-1";

/// Passed on from the host: what a program needs to run at all, and what a measured build (coverage) needs.
///
/// Nothing else, HOME neither: a developer's `AWS_PROFILE` or `~/.aws/config` would send a function to a real account.
const PASSED_ON: [&str; 6] = ["PATH", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "RUST_BACKTRACE", "LLVM_PROFILE_FILE"];

/// The ARN of a local function.
pub(super) fn arn(name: &str) -> String {
    format!("arn:aws:lambda:{REGION}:000000000000:function:{name}")
}

/// The command that starts one process of a function.
pub(super) fn command(function: &Function, address: SocketAddr, instance: &str) -> Command {
    let mut command = Command::new(&function.program);
    command.args(&function.args).env_clear();
    for name in PASSED_ON {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    let today = chrono::Utc::now().format("%Y/%m/%d");
    command
        .env("TZ", ":UTC")
        .env("LANG", "en_US.UTF-8")
        .env("_HANDLER", "bootstrap")
        // The path tells one process from another. `lambda_runtime` keeps it, and needs the scheme where there is a path.
        .env("AWS_LAMBDA_RUNTIME_API", format!("http://{address}/{instance}"))
        .env("AWS_LAMBDA_FUNCTION_NAME", &function.name)
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory_mb.to_string())
        .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", function.name))
        .env("AWS_LAMBDA_LOG_STREAM_NAME", format!("{today}/[$LATEST]{instance}"))
        .env("AWS_REGION", REGION)
        .env("AWS_DEFAULT_REGION", REGION)
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        // One function of the host invokes another.
        .env("AWS_ENDPOINT_URL_LAMBDA", format!("http://{address}"));
    if let Some(folder) = function.program.parent() {
        command.env("LAMBDA_TASK_ROOT", folder).env("LAMBDA_RUNTIME_DIR", folder);
    }
    command.envs(function.env.iter().map(|(name, value)| (name, value)));
    command
}
