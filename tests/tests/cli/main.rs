//! The real program as its operator meets it: command in, text out. The names of commands and of
//! the fields they print are a contract; what is wrong is told with where it is and what to do.

mod answers;
mod books;
mod classify;
mod commands;
mod config;
mod doctor;
mod doubts;
mod first;
mod lists;
mod pace;
mod secrets;
mod templates;
mod why;

use warmfront_tests::binary::{Answer, Scene};

/// A campaign ready to be imported as `spring`, `people` long, in a scene of one mailbox.
fn spring(people: usize) -> Scene {
    let scene = Scene::of(1);
    scene.write_campaign("spring", people);
    scene
}

/// Puts `new` where `old` is in a file of the scene.
#[track_caller]
fn edit(scene: &Scene, file: &str, old: &str, new: &str) {
    let path = scene.installation.file(file);
    let text = std::fs::read_to_string(&path).expect("a text");
    assert!(text.contains(old), "{file} has no {old:?}");
    scene.installation.write(file, text.replacen(old, new, 1));
}

/// `check` and an import end with `code` and say all of `words`, and nothing is in the books.
#[track_caller]
fn refused(scene: &Scene, code: i32, words: &[&str]) {
    let _ = run(scene, "check campaigns/spring").said(code, words);
    let _ = run(scene, "campaign import campaigns/spring").said(code, words);
    assert_eq!(scene.sink.accepted_count(), 0);
}

/// Runs a command given as one line.
fn run(scene: &Scene, line: &str) -> Answer {
    scene.installation.run(&line.split(' ').collect::<Vec<_>>())
}

/// Imports and starts `spring`, and sends what there is to send today.
#[track_caller]
fn send(scene: &Scene) {
    for line in ["campaign import campaigns/spring", "campaign start spring", "run --until-idle"] {
        let _ = run(scene, line).done();
    }
}
