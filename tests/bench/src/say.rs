//! How the bench speaks: the answer to stdout, progress to stderr.

#[expect(clippy::print_stdout, reason = "the table is the answer")]
pub(crate) fn answer(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "a run takes long, and whoever waits wants to know")]
pub(crate) fn progress(text: &str) {
    eprintln!("{text}");
}
