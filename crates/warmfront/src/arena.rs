//! How the C library keeps the memory that this program gives back.

/// glibc gives each thread an arena of its own and takes hardly anything back from one: a third of a
/// daemon's memory would be what some thread needed once. It reads the limit on arenas (mallopt(3),
/// `M_ARENA_MAX`) only as a program begins, so this one begins again, as the same process.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn begin_with_one() {
    use std::os::unix::process::CommandExt as _;

    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    if std::env::var_os(LIMIT).is_some() {
        return;
    }
    if let Ok(program) = std::env::current_exe() {
        let mut again = std::process::Command::new(program);
        // Comes back only where it fails; then all goes on, with more memory.
        let _ = again.arg0(name).args(arguments).env(LIMIT, "1").exec();
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LIMIT: &str = "MALLOC_ARENA_MAX";

/// Other libraries have other ways.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn begin_with_one() {}
