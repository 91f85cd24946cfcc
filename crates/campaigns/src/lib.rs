//! The campaign folder: its manifest, its prospect list, its templates.
//!
//! Everything an operator writes is read here, with every problem of a file found in one run and
//! named by its line. Nothing here knows a database or a mail server: what is read is handed on as
//! plain values, and a renderer can be made from such values alone.

pub mod document;
pub mod folder;
pub mod manifest;
pub mod prospects;
pub mod templates;
