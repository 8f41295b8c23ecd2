use std::os::unix::fs::PermissionsExt as _;
use std::sync::Mutex;

use super::*;

/// A stand-in for an interpreter.
fn program(folder: &Path, name: &str, script: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_string_lossy().into_owned()
}

async fn ensure_error(programs: &[&str], requirements: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let ensured = Venv::ensure_with(programs, &folder.path().join("venv"), requirements, &|_| {}).await;
    let error = ensured.unwrap_err();
    format!("{error}; {}", error.remedy())
}

const NEEDS: &str = "# What runs here, pinned.\n# Needs Python 3.11 or later (all say so).\n";

#[tokio::test]
async fn no_python_says_which_to_install() {
    let message = ensure_error(&["/nowhere/python3"], NEEDS).await;

    assert_eq!(message, "failed to find python3 on PATH; install Python 3.11 or later: the local Snowflake runs on it");
}

#[tokio::test]
async fn an_old_python_says_which_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let older = program(folder.path(), "older", "echo 3.8");
    let old = program(folder.path(), "old", "echo 3.9");
    let shim = program(folder.path(), "shim", "echo 'no such version' >&2; exit 127");

    let message = ensure_error(&[&shim, &older, &old], NEEDS).await;

    let expected = format!(
        "failed to find a Python that is new enough: {old} is 3.9; install Python 3.11 or later: the local Snowflake runs on it"
    );
    assert_eq!(message, expected);
}

#[tokio::test]
async fn a_python_without_venv_says_what_to_install() {
    let folder = tempfile::tempdir().unwrap();
    let bare = program(folder.path(), "bare", "echo 3.12; exit 1");

    let message = ensure_error(&[&bare], NEEDS).await;

    assert!(message.contains("apt install python3-venv"), "{message}");
}

#[test]
fn the_lowest_version_is_read_from_a_comment() {
    let needed = |requirements| Version::needed_by(requirements).to_string();
    assert_eq!(needed(NEEDS), "3.11");
    assert_eq!(needed("# Python list\n# Python 3.12.1 and later\n"), "3.12");
    assert_eq!(needed("a==1\n"), "3.9");
}

/// A Python whose venvs hold another such Python, and whose pip prints what pip prints, and notes each build.
fn fake_python(folder: &Path) -> String {
    let script = r#"case "$3" in
  *run_module*)
    case "$4" in
      venv) rm -rf "$6"; mkdir -p "$6/bin"; cp "$0" "$6/bin/python"; echo built >> "$(dirname "$6")/builds";;
      pip) echo "Collecting a==1 (from -r list)"; echo "  Downloading a"; echo "Collecting b==2"; echo "Installing collected packages: a, b";;
    esac;;
  *) echo 3.12;;
esac"#;
    program(folder, "python", script)
}

#[tokio::test]
async fn it_is_built_once_and_again_when_stale_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let (python, dir) = (fake_python(folder.path()), folder.path().join("venv"));
    let n_builds = || fs::read_to_string(folder.path().join("builds")).unwrap().lines().count();
    let ensure = async |requirements| {
        let told = Mutex::new(Vec::new());
        let tell = |line: &str| told.lock().unwrap().push(line.to_owned());
        Venv::ensure_with(&[&python], &dir, requirements, &tell).await.unwrap();
        (n_builds(), told.into_inner().unwrap().into_iter().find(|line| line.contains("out of date")))
    };
    let anew = |n, why| (n, Some(format!("the Python environment is out of date ({why}): building it anew")));
    let in_the_venv = |script: &str| _ = program(&dir.join("bin"), "python", script);

    assert_eq!(ensure("a==1\nb==2\n").await, (1, None));
    assert_eq!(ensure("a==1\nb==2\n").await, (1, None));
    assert_eq!(ensure("a==1\nb==3\n").await, anew(2, "the list of its packages has changed"));
    fs::remove_file(dir.join("bin/python")).unwrap();
    assert_eq!(ensure("a==1\nb==3\n").await, anew(3, "the Python that it was built by is gone"));
    // What remains where a version manager has removed a version, and a symlink points to nowhere.
    fs::remove_file(dir.join("bin/python")).unwrap();
    std::os::unix::fs::symlink("/nowhere/python3", dir.join("bin/python")).unwrap();
    assert_eq!(ensure("a==1\nb==3\n").await, anew(4, "the Python that it was built by is gone"));
    in_the_venv("echo 'libpython3.12.so.1.0: cannot open shared object file' >&2; exit 127");
    let broken = "its Python does not run: it printed no version but \"\"";
    assert_eq!(ensure("a==1\nb==3\n").await, anew(5, broken));
    in_the_venv("echo 3.13");
    assert_eq!(ensure("a==1\nb==3\n").await, anew(6, "it was built by Python 3.12, and that is 3.13 now"));
    fs::remove_file(dir.join(MARKER)).unwrap();
    assert_eq!(ensure("a==1\nb==3\n").await, anew(7, "an earlier build of it broke off"));
    assert_eq!(ensure("a==1\nb==3\n").await, (7, None));
}

#[tokio::test]
async fn what_cannot_be_built_anew_says_how_to_remove_it() {
    let folder = tempfile::tempdir().unwrap();
    let (python, dir) = (fake_python(folder.path()), folder.path().join("venv"));
    // Not even a folder, and a `venv` that says what the real one says.
    fs::write(&dir, "").unwrap();
    let failing = fs::read_to_string(&python)
        .unwrap()
        .replace("venv) ", "venv) echo \"Error: [Errno 20] Not a directory: '$6'\"; exit 1;");
    fs::write(&python, failing).unwrap();
    let told = Mutex::new(Vec::new());
    let tell = |line: &str| told.lock().unwrap().push(line.to_owned());

    let error = Venv::ensure_with(&[&python], &dir, "a==1\n", &tell).await.unwrap_err();

    let path = dir.display();
    assert_eq!(
        error.to_string(),
        format!("failed to make the Python environment: Error: [Errno 20] Not a directory: '{path}'")
    );
    assert_eq!(
        error.remedy(),
        format!("see {path}.log, or remove the environment by hand and start again: rm -r {path}")
    );
    assert_eq!(
        told.lock().unwrap()[0],
        "the Python environment is out of date (an earlier build of it broke off): building it anew"
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_is_named_by_whoever_writes() {
    let folder = tempfile::tempdir().unwrap();
    let (python, dir) = (fake_python(folder.path()), folder.path().join("venv"));
    // Every write to it fails as on a full disk.
    std::os::unix::fs::symlink("/dev/full", folder.path().join("venv.log")).unwrap();

    let error = Venv::ensure_with(&[&python], &dir, "a==1\n", &|_| {}).await.unwrap_err();

    let VenvError::Write { source, .. } = &error else { panic!("{error:?}") };
    assert_eq!(source.kind(), io::ErrorKind::StorageFull);
    assert!(!dir.join(MARKER).exists());
}

#[tokio::test]
async fn progress_names_each_package() {
    let folder = tempfile::tempdir().unwrap();
    let (python, told) = (fake_python(folder.path()), Mutex::new(Vec::new()));
    let tell = |line: &str| told.lock().unwrap().push(line.to_owned());

    let dir = folder.path().join("venv");
    Venv::ensure_with(&[&python], &dir, "# two\na==1\nb==2\n", &tell).await.unwrap();

    assert_eq!(
        *told.lock().unwrap(),
        [
            "making a Python environment",
            "fetching Python packages, 1 of 2: a==1",
            "fetching Python packages, 2 of 2: b==2",
            "installing 2 Python packages",
            "Python is set up",
        ]
    );
}

#[tokio::test]
async fn of_two_at_once_one_builds_and_the_other_says_that_it_waits() {
    let folder = tempfile::tempdir().unwrap();
    let (python, told) = (fake_python(folder.path()), Mutex::new(Vec::new()));
    let tell = |line: &str| told.lock().unwrap().push(line.to_owned());
    let (programs, dir) = ([python.as_str()], folder.path().join("venv"));

    let ensure = || Venv::ensure_with(&programs, &dir, "", &tell);
    let (first, second) = tokio::join!(ensure(), ensure());

    assert_eq!(first.unwrap(), second.unwrap());
    assert_eq!(fs::read_to_string(folder.path().join("builds")).unwrap(), "built\n");
    let waiting = "waiting for another landfall to finish setting up Python";
    assert_eq!(told.lock().unwrap().iter().filter(|line| *line == waiting).count(), 1);
}

#[tokio::test]
async fn a_build_that_is_cancelled_is_not_taken_for_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (python, dir) = (fake_python(folder.path()), folder.path().join("venv"));
    let (started, cancel) = tokio::sync::oneshot::channel();
    let started = Mutex::new(Some(started));
    // Cancelled as soon as pip has said its first line.
    let tell = |line: &str| {
        if line.starts_with("fetching")
            && let Some(started) = started.lock().unwrap().take()
        {
            started.send(()).unwrap();
        }
    };
    let slow = fs::read_to_string(&python).unwrap().replace("echo \"  Downloading a\"", "exec cat");
    fs::write(&python, slow).unwrap();

    let programs = [python.as_str()];
    tokio::select! {
        ensured = Venv::ensure_with(&programs, &dir, "a==1\nb==2\n", &tell) => panic!("{ensured:?}"),
        _ = cancel => {}
    }
    let again = fake_python(folder.path());
    Venv::ensure_with(&[&again], &dir, "a==1\nb==2\n", &|_| {}).await.unwrap();

    assert_eq!(fs::read_to_string(folder.path().join("builds")).unwrap().lines().count(), 2);
}

#[test]
fn what_pip_says_last_is_not_always_why() {
    assert_eq!(pips_error("ERROR: no space\nInstalling collected packages: a"), "ERROR: no space");
    assert_eq!(pips_error("ERROR: Exception:\nTraceback\nOSError: no space"), "OSError: no space");
    assert_eq!(pips_error(""), "its log is empty");
}

#[tokio::test]
async fn a_failed_install_tells_the_end_of_its_log_and_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (python, dir) = (fake_python(folder.path()), folder.path().join("venv"));
    let failing =
        fs::read_to_string(&python).unwrap().replace("pip) ", "pip) echo 'ERROR: no route to host' >&2; exit 1;");
    fs::write(&python, failing).unwrap();

    let error = Venv::ensure_with(&[&python], &dir, "a==1\n", &|_| {}).await.unwrap_err();

    let log = folder.path().join("venv.log");
    assert!(
        matches!(&error, VenvError::Install { log: at, tail, .. } if *at == log && tail == "ERROR: no route to host")
    );
    assert_eq!(error.to_string(), "failed to install the Python packages: ERROR: no route to host");
    let (remedy, remove) = (
        error.remedy(),
        format!(
            "; see {}; when all that is right, remove the environment by hand and start again: rm -r {}",
            log.display(),
            dir.display()
        ),
    );
    assert!(remedy.starts_with("check the network") && remedy.ends_with(&remove), "{remedy}");
    assert!(!dir.join(MARKER).exists());
}

/// Needs Python on PATH and no network; says so and passes where there is none.
#[tokio::test]
async fn a_real_environment_is_built_and_runs() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("venv");
    let venv = match Venv::ensure(&dir, "", |_| {}).await {
        Err(error @ (VenvError::NoPython { .. } | VenvError::NoVenvModule { .. } | VenvError::TooOld { .. })) => {
            eprintln!("skipped: {error}");
            return;
        }
        ensured => ensured.unwrap(),
    };

    let mut command = tokio::process::Command::new(venv.python());
    let output = command.args(["-c", "import sys, pip; print(sys.prefix)"]).output().await.unwrap();

    let prefix = fs::canonicalize(String::from_utf8(output.stdout).unwrap().trim()).unwrap();
    assert_eq!(prefix, fs::canonicalize(&dir).unwrap());

    // As an upgrade of the system's Python leaves it.
    fs::remove_file(venv.python()).unwrap();
    std::os::unix::fs::symlink("/nowhere/python3", venv.python()).unwrap();
    Venv::ensure(&dir, "", |_| {}).await.unwrap();

    assert!(tokio::process::Command::new(venv.python()).arg("--version").output().await.unwrap().status.success());
}
