//! The session: one log-in, lazily made, over `snowflake-connector-rs`.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use snowflake_connector_rs as connector;
use tokio::sync::Mutex;
use url::Url;
use zeroize::Zeroizing;

use crate::error::{Cause, SessionError};
use crate::table::{Table, to_table};

/// How long a log-in may take. The connector's own limit is two minutes, more than the whole function has.
const LOG_IN_TIME_OUT: Duration = Duration::from_secs(8);

/// The same for an administrator, who may have to find a telephone first and say yes on it.
const ADMINISTRATORS_LOG_IN_TIME_OUT: Duration = Duration::from_secs(90);

/// How long the cancellation of a statement may take.
const CANCEL_TIME_OUT: Duration = Duration::from_secs(5);

/// Text that must not be seen: it has no `Display`, its `Debug` prints nothing of it, and its memory is overwritten when it
/// is dropped.
///
/// That is true of this copy alone. The connector keeps one of its own for as long as there is a session, for each log-in
/// signs with the key; it shows nothing of it either, and does not overwrite it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Keeps `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text, for what it is a secret of.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What a user logs in with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credentials {
    /// The private key to the user's RSA public key: unencrypted PKCS#8 PEM.
    PrivateKey(Secret),
    /// A password, or a programmatic access token in its place.
    Password {
        /// The password.
        password: Secret,
        /// The code of the moment, where the user has a second factor.
        passcode: Option<Secret>,
    },
    /// An OAuth access token.
    OAuth(Secret),
}

/// What kind of credentials they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// A key pair.
    Key,
    /// A password, or a programmatic access token in its place.
    Password,
    /// An OAuth access token.
    Token,
}

impl Credentials {
    fn means(&self) -> Means {
        match self {
            Self::PrivateKey(_) => Means::Key,
            Self::Password { .. } => Means::Password,
            Self::OAuth(_) => Means::Token,
        }
    }

    fn parts(&self) -> (&'static str, &Secret) {
        match self {
            Self::PrivateKey(key) => ("private key", key),
            Self::Password { password, .. } => ("password", password),
            Self::OAuth(token) => ("token", token),
        }
    }

    fn for_connector(&self) -> connector::AuthConfig {
        match self {
            // A secret's text often comes with a line break after it.
            Self::PrivateKey(key) => {
                connector::AuthConfig::key_pair(connector::KeyPairConfig::from_pem(key.expose().trim()))
            }
            Self::Password { password, passcode } => {
                let config = connector::PasswordConfig::new(password.expose());
                connector::AuthConfig::password(match passcode {
                    Some(passcode) => config.with_passcode(passcode.expose()),
                    None => config,
                })
            }
            Self::OAuth(token) => connector::AuthConfig::oauth(token.expose()),
        }
    }
}

/// Who logs in where, and what the session is to be like.
#[derive(Debug, Clone)]
pub struct Config {
    /// `<organization>-<account>`.
    pub account: String,
    /// A user of `TYPE = SERVICE` with an RSA public key.
    pub user: String,
    /// What it logs in with.
    pub credentials: Credentials,
    /// Instead of `https://<account>.snowflakecomputing.com`: PrivateLink, or the local stack.
    pub base_url: Option<String>,
    /// Instead of the user's default role.
    pub role: Option<String>,
    /// Instead of the user's default warehouse.
    pub warehouse: Option<String>,
    /// Database of unqualified names. Landfall's own are qualified.
    pub database: Option<String>,
    /// Schema of unqualified names.
    pub schema: Option<String>,
    /// Marks every statement in Snowflake's query history.
    pub query_tag: String,
    /// How long Snowflake lets a statement run. It counts whole seconds, so a fraction is rounded up there.
    pub statement_timeout: Duration,
}

/// A session with Snowflake: it logs in when it is first needed, and again when Snowflake has forgotten it.
///
/// One statement at a time; whoever comes second waits.
pub struct Session {
    client: connector::Client,
    account: String,
    user: String,
    means: Means,
    is_administrator: bool,
    answer_time_out: Duration,
    current: Mutex<Option<connector::Session>>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("account", &self.account).field("user", &self.user).finish_non_exhaustive()
    }
}

impl Session {
    /// A session that has not logged in yet. Does no I/O.
    ///
    /// # Errors
    /// An empty account, user or key, and a base URL that is none: setup faults.
    pub fn new(config: Config) -> Result<Self, SessionError> {
        let configure = |source| SessionError::Configure { source };
        let (what, secret) = config.credentials.parts();
        for (name, value) in [("account", config.account.as_str()), ("user", &config.user), (what, secret.expose())] {
            if value.trim().is_empty() {
                return Err(configure(Cause::Empty(name)));
            }
        }
        let endpoint = match &config.base_url {
            None => connector::EndpointConfig::AccountDefault,
            Some(url) => connector::EndpointConfig::custom_base_url(Url::parse(url).map_err(|e| configure(e.into()))?),
        };
        let answer_time_out = answer_time_out(config.statement_timeout);
        let query = connector::QueryConfig::new()
            .with_query_response_timeout(answer_time_out)
            .with_query_cancel_request_timeout(CANCEL_TIME_OUT);
        let client_config =
            connector::ClientConfig::new(&config.user, &config.account, config.credentials.for_connector())
                .with_session(session_config(&config))
                .with_query(query)
                .with_endpoint(endpoint);
        Ok(Self {
            client: connector::Client::new(client_config).map_err(|e| configure(e.into()))?,
            account: config.account,
            user: config.user,
            means: config.credentials.means(),
            is_administrator: false,
            answer_time_out,
            current: Mutex::new(None),
        })
    }

    /// The same for a person who sets the account up: a log-in may take as long as a second factor does, and what is wrong
    /// with it is told by the variables `SNOWFLAKE_ADMIN_…`.
    #[must_use]
    pub fn as_administrator(self) -> Self {
        Self { is_administrator: true, ..self }
    }

    /// Logs in, unless that is done already. [`Session::query`] does it by itself; this is for a cold start.
    ///
    /// # Errors
    /// Snowflake refused it or could not be reached.
    pub async fn log_in(&self) -> Result<(), SessionError> {
        let mut current = self.current.lock().await;
        if current.is_none() {
            *current = Some(self.new_session().await?);
        }
        Ok(())
    }

    /// Runs one statement, with `binds` for its `?`, and reads its whole result.
    ///
    /// A statement that gets no answer in time is cancelled, so that it does not run on and meet its own retry.
    ///
    /// # Errors
    /// Ask [`SessionError::fate`] what is to become of the rows.
    pub async fn query(&self, sql: &str, binds: &[&str]) -> Result<Table, SessionError> {
        let mut current = self.current.lock().await;
        // Taken, not borrowed: whoever drops this future may leave a statement running in the session.
        let session = match current.take() {
            Some(session) => session,
            None => self.new_session().await?,
        };
        let result = self.run(&session, sql, binds).await;
        if !matches!(&result, Err(error) if error.is_session_gone()) {
            *current = Some(session);
            return result;
        }
        // Running it a second time is safe: Snowflake looks at the session before it looks at the statement, so a
        // statement that was refused for its session did not run. Once, for a fresh session that is gone as well
        // is nothing that a third would mend.
        let session = self.new_session().await?;
        let result = self.run(&session, sql, binds).await;
        if !matches!(&result, Err(error) if error.is_session_gone()) {
            *current = Some(session);
        }
        result
    }

    async fn new_session(&self) -> Result<connector::Session, SessionError> {
        in_time(self.log_in_time_out(), self.client.create_session()).await.map_err(|source| SessionError::LogIn {
            account: self.account.clone(),
            user: self.user.clone(),
            administrator: self.is_administrator.then_some(self.means),
            source,
        })
    }

    fn log_in_time_out(&self) -> Duration {
        if self.is_administrator { ADMINISTRATORS_LOG_IN_TIME_OUT } else { LOG_IN_TIME_OUT }
    }

    async fn run(&self, session: &connector::Session, sql: &str, binds: &[&str]) -> Result<Table, SessionError> {
        let mut statement = connector::Statement::new_positional(sql.to_owned());
        for bind in binds {
            statement = statement.bind((*bind).to_owned());
        }
        let run_error = |source: connector::Error| SessionError::Run { source: source.into() };
        let handle = session.query_handle(statement).map_err(run_error)?;
        let canceller = handle.canceller();
        let cursor = match handle.execute().await.map_err(run_error) {
            Ok(cursor) => cursor,
            Err(error) => {
                if error.is_outcome_unknown() {
                    cancel(&canceller).await;
                }
                return Err(error);
            }
        };
        let table = in_time(self.answer_time_out, cursor.collect_table()).await;
        table.and_then(|table| to_table(&table)).map_err(|source| SessionError::Read { source })
    }
}

/// The statement's own limit and an eighth: Snowflake is to give up first, for then it says so.
fn answer_time_out(statement_timeout: Duration) -> Duration {
    statement_timeout + statement_timeout / 8
}

fn session_config(config: &Config) -> connector::SessionConfig {
    // 0 would mean a week, the most there is.
    let seconds = (config.statement_timeout.as_millis().div_ceil(1000)).clamp(1, 604_800);
    // The rest is Snowflake's default, and ours to set because an account may have another: without AUTOCOMMIT a MERGE
    // would be rolled back at the end of the session, and another input format would refuse every timestamp.
    let mut session = connector::SessionConfig::new()
        .with_session_parameter("QUERY_TAG", config.query_tag.as_str().into())
        .with_session_parameter("STATEMENT_TIMEOUT_IN_SECONDS", u64::try_from(seconds).unwrap_or(1).into())
        .with_session_parameter("AUTOCOMMIT", true.into())
        .with_session_parameter("MULTI_STATEMENT_COUNT", 1.into())
        .with_session_parameter("TIMESTAMP_INPUT_FORMAT", "AUTO".into())
        .with_session_parameter("DATE_INPUT_FORMAT", "AUTO".into());
    if let Some(role) = &config.role {
        session = session.with_role(role);
    }
    if let Some(warehouse) = &config.warehouse {
        session = session.with_warehouse(warehouse);
    }
    if let Some(database) = &config.database {
        session = session.with_database(database);
    }
    if let Some(schema) = &config.schema {
        session = session.with_schema(schema);
    }
    session
}

async fn in_time<T>(limit: Duration, work: impl Future<Output = connector::Result<T>>) -> Result<T, Cause> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result.map_err(Cause::Connector),
        Err(_) => Err(Cause::Elapsed(limit)),
    }
}

/// The caller gets the error of the statement; that this failed too is only seen here.
async fn cancel(canceller: &connector::QueryCanceller) {
    if let Err(error) = canceller.cancel().await {
        tracing::warn!(error = %error, request_id = canceller.request_id(), "failed to cancel a statement");
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::io::{Read as _, Seek as _, SeekFrom};

    use super::*;

    /// What this process holds at an address.
    fn memory(address: usize, n_bytes: usize) -> Vec<u8> {
        let mut memory = std::fs::File::open("/proc/self/mem").unwrap();
        memory.seek(SeekFrom::Start(address as u64)).unwrap();
        let mut bytes = vec![0; n_bytes];
        memory.read_exact(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_person_has_time_for_a_second_factor_and_a_function_has_not() {
        let config = Config {
            account: "a".to_owned(),
            user: "u".to_owned(),
            credentials: Credentials::Password { password: Secret::new("p"), passcode: None },
            base_url: None,
            role: None,
            warehouse: None,
            database: None,
            schema: None,
            query_tag: String::new(),
            statement_timeout: Duration::from_secs(1),
        };
        let limit = |session: Session| session.log_in_time_out().as_secs();

        assert_eq!(limit(Session::new(config.clone()).unwrap()), 8);
        assert_eq!(limit(Session::new(config).unwrap().as_administrator()), 90);
    }

    #[test]
    fn a_secret_is_overwritten_when_it_is_dropped() {
        // Long, so that what the allocator writes into what is freed is little of it.
        let text = "0123456789abcdef".repeat(64);
        let secret = Secret::new(text.clone());
        let address = secret.expose().as_ptr() as usize;
        assert_eq!(memory(address, text.len()), text.as_bytes());

        drop(secret);

        let left = memory(address, text.len());
        assert!(!left.windows(16).any(|window| text.as_bytes()[..31].windows(16).any(|part| part == window)));
    }
}
