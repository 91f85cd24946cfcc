//! Mail that is made to break whoever reads it, and ordinary mail behind it.

use std::fmt::Write as _;

use warmfront_tests::binary::{Daemon, wait_until};
use warmfront_tests::dovecot::Folder;

use super::scene::{Scene, Step};

#[test]
fn bombs_hold_up_no_other_mail() {
    let scene = Scene::of(&[MAILBOX]);
    let office = scene.office;
    office.admit(&[PERSON]);
    scene.begin("bombs", 1, &[PERSON], &STEP);
    scene.run();
    office.postfix.rest();
    for bomb in [many_parts, many_fields, much] {
        office.dovecot.deliver(MAILBOX, Folder::Inbox, &bomb());
    }
    office.answer(PERSON, &office.only(PERSON), "Yes, do call me.");
    office.postfix.rest();

    scene.reads_mailboxes();
    let mut daemon = Daemon::start(&scene.installation, &["run"], None);
    // A mailbox is read when the program starts, and for an hour not again.
    wait_until("the answer behind the bombs is read", || {
        scene.told("campaign status bombs")["enrolments"]["replied"] == 1
    });
    let most = peak_kib(daemon.id());
    assert!(most < PEAK_MAX_KIB, "{most} KiB");
    daemon.terminate();
    daemon.ended_well("bombs");
    let list = scene.told("mailbox list");
    assert!(list["inbox_trouble"].is_null() && list["inbox_read_at"].is_string(), "{list}");
}

/// 40,000 parts, each in the one before it.
fn many_parts() -> String {
    let mut bomb = head("many parts") + "Content-Type: multipart/mixed; boundary=b0\r\n\r\n";
    for nr in 1..=40_000 {
        let inner =
            format!("--b{}\r\nContent-Type: multipart/mixed; boundary=b{nr}\r\n\r\n", nr - 1);
        bomb += &inner;
    }
    bomb
}

/// A million header fields.
fn many_fields() -> String {
    let mut bomb = head("many fields");
    for nr in 0..1_000_000 {
        write!(bomb, "X-{nr}: y\r\n").expect("text takes text");
    }
    bomb + "\r\nHello.\r\n"
}

/// 300 MB.
fn much() -> String {
    let line = "0123456789".repeat(7) + "\r\n";
    head("much") + "\r\n" + &line.repeat(300_000_000 / line.len())
}

fn head(subject: &str) -> String {
    format!("From: mallory@elsewhere.example\r\nTo: {MAILBOX}\r\nSubject: {subject}\r\n")
}

/// The most memory that a process ever had, as Linux tells it.
#[track_caller]
fn peak_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

const MAILBOX: &str = "ann@bombed.example";
const PERSON: &str = "pia@bombs.example";

const STEP: [Step; 1] = [(None, "Subject: A question\n\nMay I ask?\n")];

/// Two thirds of the largest bomb, and many times what a daemon of one mailbox needs.
const PEAK_MAX_KIB: u64 = 200_000;
