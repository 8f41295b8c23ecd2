//! Why Snowflake did not answer, and what is to become of the rows.

use std::time::Duration;

use snowflake_connector_rs::ErrorKind;
use url::Url;

use crate::session::Means;

/// What becomes of the rows of a statement that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Some row will never fit: find it, reject it alone.
    Data,
    /// It may go better the next time: retry all of them.
    Transient,
    /// Nothing will go better until somebody changes something: see [`SessionError::remedy`].
    Setup,
}

/// Why Snowflake did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The configuration holds something that cannot be right.
    #[error("failed to configure the Snowflake session")]
    Configure {
        /// What it was.
        source: Cause,
    },
    /// Snowflake refused the log-in, or could not be reached for it.
    #[error("failed to log in to Snowflake account {account} as {user}")]
    LogIn {
        /// As configured.
        account: String,
        /// As configured.
        user: String,
        /// What it was tried with, where a person sets the account up; none for the service user and its key.
        administrator: Option<Means>,
        /// What happened.
        source: Cause,
    },
    /// Snowflake refused a statement, or its answer did not come.
    #[error("failed to run a statement in Snowflake")]
    Run {
        /// What happened.
        source: Cause,
    },
    /// The statement ran; its result could not be read.
    #[error("failed to read a result from Snowflake")]
    Read {
        /// What happened.
        source: Cause,
    },
}

/// What happened, in the words of whoever noticed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// The connector, or Snowflake through it, in one line: what is beneath it is the connector's own affair.
    #[error("{}", said(.0))]
    Connector(snowflake_connector_rs::Error),
    /// The base URL is none.
    #[error("the base URL is not a URL")]
    BaseUrl(#[from] url::ParseError),
    /// A setting is empty.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// The connector did not notice that nothing comes any more.
    #[error("no answer within {0:?}")]
    Elapsed(Duration),
    /// A value does not look like its type.
    #[error("a {column_type} value that does not look like one in column {column}")]
    Cell {
        /// Its column.
        column: String,
        /// Its type, in Snowflake's words.
        column_type: String,
    },
}

impl From<snowflake_connector_rs::Error> for Cause {
    fn from(error: snowflake_connector_rs::Error) -> Self {
        Self::Connector(error)
    }
}

/// Codes of a value that does not fit, each with its SQLSTATE of class 22.
///
/// The connector keeps Snowflake's code and drops the SQLSTATE, hence this table. It holds only what a MERGE of ours
/// can meet and what is on record with that SQLSTATE: a code too few costs retries, a code too many rejects good rows. (So
/// not 100132, which is an error of JavaScript, P0000, nor 100090, two rows for one target, 42P18.)
///
/// Source: Snowflake's documentation and public logs, where they stand as `100038 (22018): Numeric value 'one' is
/// not recognized`.
const DATA_CODES: [&str; 10] = [
    "100035", // 22007: Timestamp '…' is not recognized
    "100037", // 22018: Boolean value '…' is not recognized
    "100038", // 22018: Numeric value '…' is not recognized
    "100039", // 22003: Numeric value '…' is out of range
    "100040", // 22007: Date '…' is not recognized
    "100046", // 22003: Number out of representable range
    "100069", // 22P02: Error parsing JSON
    "100071", // 22000: Failed to cast variant value … to …
    "100072", // 22000: NULL result in a non-nullable column
    "100078", // 22000: String '…' is too long and would be truncated
];

/// Codes of something that is missing or forbidden, and what to do about it.
const SETUP_CODES: [(&str, &str); 5] = [
    (
        "000606",
        "name a warehouse in the configuration, and GRANT USAGE on it to the role; a resource monitor may also hold it",
    ),
    ("000904", "add the pipeline's new columns to the tables: landfall check --deployed prints how"),
    (
        "002003",
        "run landfall snowflake apply, or GRANT the role USAGE on database and schema and SELECT, INSERT on the tables",
    ),
    ("002043", "run landfall snowflake apply, or GRANT the role USAGE on warehouse, database and schema"),
    ("003001", "GRANT the role USAGE on warehouse, database and schema and SELECT, INSERT on the tables"),
];

/// Codes of a session that is no more: gone, expired, its master token expired, unknown.
///
/// Source: Snowflake's drivers (libsnowflakeclient, `GONE_SESSION_CODE` and its neighbours).
const SESSION_GONE_CODES: [&str; 4] = ["390104", "390111", "390112", "390114"];

/// Codes of what is over in seconds, and has changed nothing.
///
/// Source: Snowflake's documentation on transactions and locks, and its knowledge base on 000603.
const BRIEF_CODES: [&str; 2] = [
    "000603", // XX000: SQL execution internal error
    "000625", // 57014: the number of waiters for this lock exceeds the 20 statements limit
];

impl SessionError {
    /// Whether another try within seconds may go better: Snowflake answered that it did nothing, for now.
    pub fn is_brief(&self) -> bool {
        matches!(self, Self::Run { .. }) && self.code().is_some_and(|code| BRIEF_CODES.contains(&code))
    }

    /// What becomes of the rows.
    ///
    /// What is not known is transient: retried, so never lost, and never dead-lettered by mistake.
    pub fn fate(&self) -> Fate {
        match self {
            Self::Configure { .. } => Fate::Setup,
            Self::LogIn { source, .. } if self.is_refused_or_nowhere(source) => Fate::Setup,
            Self::Run { source: Cause::Connector(_) } => match self.code() {
                Some(code) if DATA_CODES.contains(&code) => Fate::Data,
                Some(code) if SETUP_CODES.iter().any(|(setup, _)| *setup == code) => Fate::Setup,
                _ => Fate::Transient,
            },
            _ => Fate::Transient,
        }
    }

    /// Snowflake's code, six digits, when the answer had one.
    ///
    /// A refused log-in has one too, but the connector drops it.
    pub fn code(&self) -> Option<&str> {
        self.connector().and_then(snowflake_connector_rs::Error::snowflake_code)
    }

    /// What Snowflake itself said. It may quote a value, so it belongs in a dead letter and not in a log.
    pub fn message(&self) -> Option<&str> {
        self.connector().and_then(snowflake_connector_rs::Error::snowflake_message)
    }

    /// Identifies the statement in Snowflake's query history, when it came that far.
    pub fn query_id(&self) -> Option<&str> {
        self.connector().and_then(snowflake_connector_rs::Error::query_id)
    }

    /// A stable name for alarms and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Configure { .. } => "configure",
            Self::LogIn { .. } => "log_in",
            Self::Run { .. } if self.is_session_gone() => "session_gone",
            Self::Run { .. } if self.is_time_out() => "time_out",
            Self::Run { .. } => "run",
            Self::Read { .. } => "read",
        }
    }

    /// What to change, for a setup fault.
    pub fn remedy(&self) -> Option<&'static str> {
        if let Self::LogIn { administrator: Some(means), source, .. } = self
            && let Some(remedy) = self.administrators_remedy(*means, source)
        {
            return Some(remedy);
        }
        if self.fate() != Fate::Setup {
            return None;
        }
        let connector = self.connector();
        let remedy = match (self, connector.map(snowflake_connector_rs::Error::kind)) {
            (Self::LogIn { .. }, Some(ErrorKind::Auth)) if self.message().is_none() => {
                "give an RSA key as unencrypted PKCS#8 PEM, whole: openssl pkcs8 -topk8 -nocrypt -in key.pem"
            }
            (Self::LogIn { .. }, Some(ErrorKind::Auth)) => {
                "check SNOWFLAKE_USER, and that a public key of it belongs to the private key: DESC USER, \
                 RSA_PUBLIC_KEY_FP and RSA_PUBLIC_KEY_2_FP"
            }
            (Self::LogIn { .. }, _) => {
                "set SNOWFLAKE_ACCOUNT to <organization>-<account>, as in SELECT CURRENT_ORGANIZATION_NAME(), \
                 CURRENT_ACCOUNT_NAME(), for example SNOWFLAKE_ACCOUNT=acme-prod, and leave SNOWFLAKE_URL out, unless it \
                 goes by PrivateLink"
            }
            (Self::Configure { .. }, _) => "check SNOWFLAKE_ACCOUNT, SNOWFLAKE_USER and SNOWFLAKE_URL",
            _ => {
                let code = self.code();
                SETUP_CODES.iter().find(|(setup, _)| Some(*setup) == code).map(|(_, remedy)| *remedy)?
            }
        };
        Some(remedy)
    }

    /// The same for a person's own log-in; none where the account's name is what is wrong.
    fn administrators_remedy(&self, means: Means, source: &Cause) -> Option<&'static str> {
        if let (Means::Password, Cause::Elapsed(_)) = (means, source) {
            return Some(
                "answer the second factor in time, or set SNOWFLAKE_ADMIN_PASSCODE to the six digits that the \
                 authenticator shows now",
            );
        }
        if self.connector()?.kind() != ErrorKind::Auth {
            return None;
        }
        let said = self.message();
        Some(match means {
            _ if said.is_some_and(|said| said.to_lowercase().contains("role '")) => {
                "set SNOWFLAKE_ADMIN_ROLE to a role that SNOWFLAKE_ADMIN_USER has and that may make roles, users, \
                 integrations and databases"
            }
            Means::Key if said.is_none() => {
                "give SNOWFLAKE_ADMIN_PRIVATE_KEY_FILE an RSA key as unencrypted PKCS#8 PEM, whole: openssl pkcs8 -topk8 \
                 -nocrypt -in key.pem"
            }
            Means::Key => {
                "check SNOWFLAKE_ADMIN_USER, and that the key in SNOWFLAKE_ADMIN_PRIVATE_KEY_FILE is that user's: DESC USER, \
                 RSA_PUBLIC_KEY_FP and RSA_PUBLIC_KEY_2_FP"
            }
            Means::Password => {
                "check SNOWFLAKE_ADMIN_USER and SNOWFLAKE_ADMIN_PASSWORD; with a second factor, set SNOWFLAKE_ADMIN_PASSCODE \
                 to the six digits that the authenticator shows now: each is taken once"
            }
            Means::Token => {
                "get a new SNOWFLAKE_ADMIN_TOKEN, and check that it is SNOWFLAKE_ADMIN_USER's: tokens expire, and a \
                 programmatic access token goes into SNOWFLAKE_ADMIN_PASSWORD instead"
            }
        })
    }

    /// Whether the account said no to who logged in: its user, its key, its clock, its role.
    pub fn is_log_in_refused(&self) -> bool {
        matches!(self, Self::LogIn { .. }) && self.connector().is_some_and(|error| error.kind() == ErrorKind::Auth)
    }

    /// The HTTP status of an answer that was none of Snowflake's own.
    pub fn http_status(&self) -> Option<u16> {
        self.connector().and_then(http_status)
    }

    /// Whether the account's name leads nowhere: no DNS knows it.
    pub fn is_unknown_host(&self) -> bool {
        self.connector().is_some_and(is_dns)
    }

    /// Whether the statement was refused because its session is no more.
    pub(crate) fn is_session_gone(&self) -> bool {
        let Some(connector) = self.connector() else { return false };
        connector.is_session_expired() || connector.snowflake_code().is_some_and(|c| SESSION_GONE_CODES.contains(&c))
    }

    /// Whether the statement may still be running, for nothing but silence came back.
    pub(crate) fn is_outcome_unknown(&self) -> bool {
        self.is_time_out() || self.connector().is_some_and(|error| error.kind() == ErrorKind::Network)
    }

    fn is_time_out(&self) -> bool {
        match self.cause() {
            Cause::Elapsed(_) => true,
            Cause::Connector(error) => error.is_timeout(),
            _ => false,
        }
    }

    /// Whether Snowflake said no, or nobody answers to the account's name.
    ///
    /// An account that does not exist has no name in DNS, or the server behind the wildcard answers 403 or 404.
    fn is_refused_or_nowhere(&self, cause: &Cause) -> bool {
        let Cause::Connector(error) = cause else { return false };
        match error.kind() {
            ErrorKind::Auth | ErrorKind::Config => true,
            ErrorKind::Network => is_dns(error) || matches!(http_status(error), Some(403 | 404)),
            _ => false,
        }
    }

    fn cause(&self) -> &Cause {
        match self {
            Self::Configure { source } | Self::LogIn { source, .. } | Self::Run { source } | Self::Read { source } => {
                source
            }
        }
    }

    fn connector(&self) -> Option<&snowflake_connector_rs::Error> {
        match self.cause() {
            Cause::Connector(error) => Some(error),
            _ => None,
        }
    }
}

/// What happened, without the layers that it came through: their words are a URL with all its parameters, and pages of
/// HTML.
fn said(error: &snowflake_connector_rs::Error) -> String {
    let (text, cause) = (error.to_string(), landfall_core::root_cause(error));
    match (error.kind(), http_status(error)) {
        (ErrorKind::Network, Some(status)) => format!("it answered with HTTP {status}"),
        (ErrorKind::Network, None) if is_dns(error) => format!("there is no such host{} ({cause})", host(error, ":")),
        (ErrorKind::Network, None) => format!("no answer{} ({cause})", host(error, " from")),
        // The rest of it quotes the answer.
        (ErrorKind::Protocol, _) if text.starts_with("JSON parse error") => {
            "its answer is none of Snowflake's".to_owned()
        }
        _ if std::error::Error::source(error).is_some() => format!("{text} ({cause})"),
        _ => text,
    }
}

/// Who was asked: reqwest has the URL in its message alone.
fn host(error: &snowflake_connector_rs::Error, before: &str) -> String {
    let chain = landfall_core::chain(error);
    let url = chain.split_once("for url (").and_then(|(_, rest)| Url::parse(rest.split(')').next()?).ok());
    let Some(url) = url else { return String::new() };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{before} {}{port}", url.host_str().unwrap_or_default())
}

/// The status of an answer that was not 200. The connector has it in its message alone.
fn http_status(error: &snowflake_connector_rs::Error) -> Option<u16> {
    let text = error.to_string();
    text.strip_prefix("HTTP ")?.get(..3)?.parse().ok()
}

/// Whether the name did not resolve, or cannot be a name. hyper has that in its message alone. A resolver that says to
/// try again has said nothing about the name.
fn is_dns(error: &snowflake_connector_rs::Error) -> bool {
    if landfall_core::root_cause(error).contains("Temporary failure") {
        return false;
    }
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        let text = error.to_string();
        if text.contains("dns error") || text.contains("invalid dns name") {
            return true;
        }
        source = error.source();
    }
    false
}
