//! `classify`: what was answered or came in means, asked without any books.

mod inbound;
mod smtp;

use crate::cli::Classify;
use crate::exit::Done;

pub(crate) fn classify(command: Classify, json: bool) -> Done {
    match command {
        Classify::Smtp(asked) => smtp::smtp(&asked, json),
        Classify::Inbound { files, sent } => inbound::inbound(&files, sent.as_deref()),
    }
}
