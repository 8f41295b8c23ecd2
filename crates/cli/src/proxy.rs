//! The local services are on this machine: no proxy is to look for them on its own.

/// Starts this program anew with 127.0.0.1 in `NO_PROXY`, where a proxy is set and does not except it.
///
/// The HTTP client of the Snowflake connector takes its proxy from the environment and has no switch for that, and a
/// process that has threads cannot change its own environment safely.
#[cfg(unix)]
pub(crate) fn except_this_machine() -> std::io::Result<()> {
    use std::os::unix::process::CommandExt as _;

    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let is_proxied = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"].into_iter().any(|name| set(name).is_some());
    let excepted = set("NO_PROXY").or_else(|| set("no_proxy")).unwrap_or_default();
    if !is_proxied || excepted.split(',').any(|host| matches!(host.trim(), "127.0.0.1" | "*")) {
        return Ok(());
    }
    let excepted = if excepted.is_empty() { "127.0.0.1".to_owned() } else { format!("{excepted},127.0.0.1") };
    // It returns only when it fails.
    let error = std::process::Command::new(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .envs([("NO_PROXY", &excepted), ("no_proxy", &excepted)])
        .exec();
    Err(std::io::Error::new(error.kind(), format!("failed to start again with NO_PROXY={excepted}: {error}")))
}

/// Nothing to do where a process cannot be replaced.
#[cfg(not(unix))]
pub(crate) fn except_this_machine() -> std::io::Result<()> {
    Ok(())
}
