//! Configuration by environment variables, described once: for the code, for its errors and for the README.

use std::fmt;
use std::time::Duration;

use crate::Pipeline;
use crate::pipeline::PipelineError;

/// An environment variable of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// `LANDING_BUCKET`
    pub name: &'static str,
    /// What it says, as a row of the README's table has it.
    pub meaning: &'static str,
    /// A value that would do.
    pub example: &'static str,
    /// What it is taken to be when it is not set; `None` when it has to be.
    pub default: Option<&'static str>,
}

/// One variable that is missing or malformed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFault {
    /// Which.
    pub variable: Variable,
    /// What is wrong with it.
    pub what: String,
}

/// Everything that is wrong with a function's environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// At least one.
    pub faults: Vec<ConfigFault>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to read the configuration")?;
        for ConfigFault { variable: Variable { name, meaning, example, .. }, what } in &self.faults {
            write!(f, "\n  {name} {what}; set it to {meaning}, for example {name}={example}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Reads variables one by one and collects all their faults.
pub struct Variables<'a> {
    get: &'a dyn Fn(&str) -> Option<String>,
    faults: Vec<ConfigFault>,
}

impl<'a> Variables<'a> {
    /// `get` answers with a variable's value; `None` and the empty text both mean that it is not set.
    pub fn new(get: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { get, faults: Vec::new() }
    }

    /// The value, or the default; a fault is noted when there is neither.
    pub fn text(&mut self, variable: Variable) -> String {
        let value = self.optional(variable).or_else(|| variable.default.map(str::to_owned));
        value.unwrap_or_else(|| {
            self.fault(variable, "is not set");
            String::new()
        })
    }

    /// The value, if it is set.
    pub fn optional(&self, variable: Variable) -> Option<String> {
        (self.get)(variable.name).filter(|value| !value.is_empty())
    }

    /// `on` or `off`.
    pub fn switch(&mut self, variable: Variable) -> bool {
        match self.text(variable).as_str() {
            "on" => true,
            "off" => false,
            other => {
                self.fault(variable, &format!("is \"{other}\", neither on nor off"));
                false
            }
        }
    }

    /// The bare name of a bucket, or the ARN of an access point.
    pub fn bucket(&mut self, variable: Variable) -> String {
        let value = self.text(variable);
        if let Some(what) = bucket_fault(&value) {
            self.fault(variable, &what);
        }
        value
    }

    /// A factor above 0, at most 10.
    pub fn factor(&mut self, variable: Variable) -> f64 {
        let text = self.text(variable);
        match text.parse() {
            Ok(factor) if factor > 0.0 && factor <= 10.0 => factor,
            _ => {
                self.fault(variable, &format!("is \"{text}\", no number above 0 and up to 10"));
                1.0
            }
        }
    }

    /// Notes that a variable's value will not do: `what` reads on from its name.
    pub fn fault(&mut self, variable: Variable, what: &str) {
        self.faults.push(ConfigFault { variable, what: what.to_owned() });
    }

    /// # Errors
    /// All faults that were noted.
    pub fn finish(self) -> Result<(), ConfigError> {
        if self.faults.is_empty() { Ok(()) } else { Err(ConfigError { faults: self.faults }) }
    }
}

/// What keeps a text from being the name of a bucket or the ARN of an access point, and the name that was meant.
///
/// Only what no bucket can be called: all else is S3's to judge.
fn bucket_fault(value: &str) -> Option<String> {
    let is_name = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
    if is_name(value) || (value.starts_with("arn:") && value.contains("accesspoint")) {
        return None;
    }
    let bare = value.trim_matches(|c: char| c.is_whitespace() || "\"'".contains(c));
    let bare = bare.strip_prefix("s3://").or_else(|| bare.split_once(":s3:::").map(|(_, name)| name)).unwrap_or(bare);
    let (name, prefix) = bare.split_once('/').unwrap_or((bare, ""));
    let mut what = format!("is \"{value}\", not just a bucket's name");
    if !name.is_empty() && is_name(name) {
        what.push_str(&format!(": write {name}"));
        if !prefix.trim_matches(['/', '*']).is_empty() {
            what.push_str(", and the prefix into pipeline.toml, as [landing] prefix");
        }
    }
    Some(what)
}

/// The orchestrator and the transform function: where objects go.
pub const LANDING_BUCKET: Variable = Variable {
    name: "LANDING_BUCKET",
    meaning: "the bucket of the landing zone and of the dead letters",
    example: "acme-landing-zone",
    default: None,
};

/// All functions: where their pipeline.toml is.
pub const PIPELINE_FILE: Variable = Variable {
    name: "PIPELINE_FILE",
    meaning: "the path of pipeline.toml; in Lambda it is in the function's zip",
    example: "/var/task/pipeline.toml",
    default: Some("pipeline.toml"),
};

/// All functions: shortens the chain of time-outs.
pub const TIME_SCALE: Variable = Variable {
    name: "LANDFALL_TIME_SCALE",
    meaning: "a factor on all time-outs, for tests; functions that work together share it",
    example: "0.1",
    default: Some("1"),
};

/// Whoever calls AWS: the region. The AWS clients read it themselves, or find it in a profile.
const AWS_REGION: Variable = Variable {
    name: "AWS_REGION",
    meaning: "the region of the bucket and of the functions",
    example: "us-east-1",
    default: None,
};

/// The same for credentials.
const AWS_ACCESS_KEY_ID: Variable = Variable {
    name: "AWS_ACCESS_KEY_ID",
    meaning: "an access key and AWS_SECRET_ACCESS_KEY to its secret, or AWS_PROFILE to a profile (where that signs in \
              through a browser or a program: eval \"$(aws configure export-credentials --format env)\"); in Lambda \
              the function's role gives them, and for the services of landfall dev take those of dev.env",
    example: "landfall",
    default: None,
};

/// Whether the AWS clients have found a region, and credentials: if not, `no_credentials` says why.
///
/// # Errors
/// What of it is missing, all at once.
pub fn check_aws(has_region: bool, no_credentials: Option<String>) -> Result<(), ConfigError> {
    let mut faults = Vec::new();
    if !has_region {
        let what = "is not set, and no profile names a region".to_owned();
        faults.push(ConfigFault { variable: AWS_REGION, what });
    }
    if let Some(why) = no_credentials {
        let why = match why.trim() {
            // The list of all places where nothing was found.
            list if list.contains('\n') => String::new(),
            // The clients for that would be in each function's zip, where nothing uses them.
            elsewhere if elsewhere.contains("cargo feature") => {
                " (the profile signs in through a browser or a program)".to_owned()
            }
            why => format!(" ({why})"),
        };
        let what = format!("gives no credentials, nor does a profile or a role{why}");
        faults.push(ConfigFault { variable: AWS_ACCESS_KEY_ID, what });
    }
    if faults.is_empty() { Ok(()) } else { Err(ConfigError { faults }) }
}

/// What Lambda itself sets, and its runtime cannot do without.
const LAMBDAS_OWN: [&str; 4] = [
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
];

/// Set by Lambda: the function's name.
pub const FUNCTION_NAME: &str = "AWS_LAMBDA_FUNCTION_NAME";

/// Whether a function was started by Lambda, or by something that does as Lambda does.
///
/// # Errors
/// It was started by hand.
pub fn check_lambda(get: &dyn Fn(&str) -> Option<String>) -> Result<(), StartError> {
    match LAMBDAS_OWN.into_iter().find(|name| get(name).is_none()) {
        None => Ok(()),
        Some(missing) => Err(StartError::NotInLambda { missing }),
    }
}

/// The chain of time-outs: each outlasts the one before, so that whoever gives up first is the one that knows
/// most about what went on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timeouts {
    factor: f64,
}

impl Timeouts {
    /// Every time-out is multiplied by `factor`.
    pub fn scaled(factor: f64) -> Self {
        Self { factor }
    }

    /// How long one try to put an object may take.
    pub fn put_attempt(self) -> Duration {
        self.seconds(15)
    }

    /// How long putting an object may take, all tries together.
    pub fn put(self) -> Duration {
        self.seconds(60)
    }

    /// How long Snowflake lets a statement run.
    pub fn statement(self) -> Duration {
        self.seconds(40)
    }

    /// How long Lambda lets the upsert function run.
    pub fn upsert_function(self) -> Duration {
        self.seconds(60)
    }

    /// How long the orchestrator waits for the upsert function's answer.
    pub fn invoke(self) -> Duration {
        self.seconds(65)
    }

    /// The orchestrator starts a request to upsert only while this much of its own time remains.
    pub fn request_starts_before_end(self) -> Duration {
        self.seconds(67)
    }

    /// So long before its own end the orchestrator gives up whatever is under way, to say how far it came.
    pub fn answer_before_end(self) -> Duration {
        self.seconds(2)
    }

    /// How long Lambda lets the orchestrator run.
    pub fn orchestrator_function(self) -> Duration {
        self.seconds(180)
    }

    /// How long Lambda lets the transform function run. Firehose waits for five minutes.
    pub fn transform_function(self) -> Duration {
        self.seconds(180)
    }

    fn seconds(self, seconds: u64) -> Duration {
        Duration::from_secs(seconds).mul_f64(self.factor)
    }
}

/// Why a function does not start. Each says what to change.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A variable is missing or malformed.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file that a variable names cannot be read.
    #[error("failed to read {path}; {}", file_remedy(*variable, source))]
    File {
        /// As configured.
        path: String,
        /// Where the path came from.
        variable: Variable,
        /// Why.
        source: std::io::Error,
    },
    /// pipeline.toml is not valid.
    #[error("failed to use {path}")]
    Pipeline {
        /// As configured.
        path: String,
        /// Its faults.
        source: PipelineError,
    },
    /// The function was started by hand.
    #[error(
        "failed to find Lambda: {missing} is not set; deploy the function, or start it on this machine with landfall dev, \
         or with cargo lambda watch --env-file dev.env"
    )]
    NotInLambda {
        /// What Lambda would have set.
        missing: &'static str,
    },
    /// An outside system that the function cannot do without refuses it.
    #[error("{what}")]
    Port {
        /// What happened and what to change.
        what: String,
        /// What was beneath it.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

fn file_remedy(variable: Variable, error: &std::io::Error) -> String {
    let Variable { name, meaning, example, .. } = variable;
    let instead = format!("set {name} to {meaning}, for example {name}={example}");
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => {
            format!(
                "let the user that runs this read it (chmod; in a function's zip: chmod 644 before zipping), or {instead}"
            )
        }
        _ => instead,
    }
}

/// The text of the file at `path`, as `read` gives it.
///
/// # Errors
/// [`StartError::File`], naming the variable that the path came from.
pub fn file(variable: Variable, path: &str, read: ReadFile) -> Result<String, StartError> {
    read(path).map_err(|source| StartError::File { path: path.to_owned(), variable, source })
}

/// How a file's text is read: `|path| std::fs::read_to_string(path)`, or from memory in tests.
pub type ReadFile = fn(&str) -> std::io::Result<String>;

/// The pipeline in the file at `path`.
///
/// # Errors
/// The file cannot be read, or its faults.
pub fn pipeline(path: &str, read: ReadFile) -> Result<Pipeline, StartError> {
    let text = file(PIPELINE_FILE, path, read)?;
    Pipeline::from_toml(&text).map_err(|source| StartError::Pipeline { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
