//! The others: found where they are installed, installed where they are not, or named as missing.

mod install;
mod scripts;
mod server;
mod smtp;

pub(crate) use install::{sqlite3, taskset};
pub(crate) use scripts::{mailmerge, nodemailer, smtplib};
pub(crate) use server::{postgres, psql};
pub(crate) use smtp::{SmtpSink, free_port, smtp_source};
