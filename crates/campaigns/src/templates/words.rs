//! The few words a template may use on values. All take and give texts; none reaches for anything
//! outside the template, and there is none for the time.

use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, JsonRender, Output, RenderContext,
    RenderError, RenderErrorReason, ScopedJson,
};
use serde_json::Value;

/// A helper of ours.
///
/// Reads its parameters by hand: handlebars' own macro raises an error on a missing value, and to
/// `default` a missing value is the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Default,
    Upper,
    Lower,
    Capitalize,
    Eq,
    Ne,
    And,
    Or,
    Not,
}

/// Their names. `title` is a column, hence `capitalize`.
pub(super) const WORDS: [(&str, Word); 9] = [
    ("default", Word::Default),
    ("upper", Word::Upper),
    ("lower", Word::Lower),
    ("capitalize", Word::Capitalize),
    ("eq", Word::Eq),
    ("ne", Word::Ne),
    ("and", Word::And),
    ("or", Word::Or),
    ("not", Word::Not),
];

impl Word {
    pub(super) fn named(name: &str) -> Option<Self> {
        WORDS.iter().find(|(known, _)| *known == name).map(|(_, word)| *word)
    }

    /// How many values it takes.
    pub(super) fn takes(self) -> std::ops::RangeInclusive<usize> {
        match self {
            Self::Upper | Self::Lower | Self::Capitalize | Self::Not => 1..=1,
            Self::Eq | Self::Ne => 2..=2,
            Self::Default | Self::And | Self::Or => 2..=10,
        }
    }

    /// Whether it answers a question, and so belongs into `#if`, not into the text.
    pub(super) fn asks(self) -> bool {
        match self {
            Self::Default | Self::Upper | Self::Lower | Self::Capitalize => false,
            Self::Eq | Self::Ne | Self::And | Self::Or | Self::Not => true,
        }
    }

    /// Whether a missing value is an answer to it, and no hole in the text.
    pub(super) fn bears_missing(self) -> bool {
        self == Self::Default || self.asks()
    }

    fn value(self, given: &[Option<String>]) -> Option<Value> {
        let first = given.first().cloned().flatten();
        let text = |change: fn(&str) -> String| first.as_deref().map(change).map(Value::String);
        match self {
            Self::Default => given.iter().flatten().next().cloned().map(Value::String),
            Self::Upper => text(str::to_uppercase),
            Self::Lower => text(str::to_lowercase),
            Self::Capitalize => text(capitalized),
            Self::Eq => Some(Value::Bool(given.first() == given.get(1))),
            Self::Ne => Some(Value::Bool(given.first() != given.get(1))),
            Self::And => Some(Value::Bool(given.iter().all(Option::is_some))),
            Self::Or => Some(Value::Bool(given.iter().any(Option::is_some))),
            Self::Not => Some(Value::Bool(first.is_none())),
        }
    }
}

impl HelperDef for Word {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let given: Vec<Option<String>> = helper
            .params()
            .iter()
            .map(|param| match param.value() {
                Value::Null | Value::Bool(false) => None,
                value => Some(value.render()).filter(|text| !text.is_empty()),
            })
            .collect();
        Ok(self.value(&given).map_or(ScopedJson::Missing, ScopedJson::Derived))
    }

    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        state: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let value = self.call_inner(helper, registry, context, state)?;
        if value.is_missing() {
            let name = helper.params().last().and_then(|param| param.relative_path().cloned());
            return Err(RenderErrorReason::MissingVariable(name).into());
        }
        out.write(&registry.get_escape_fn()(&value.render()))?;
        Ok(())
    }
}

/// Every word with a capital first, the rest as it was: `mcDonald & sons` is `McDonald & Sons`.
fn capitalized(text: &str) -> String {
    let mut begins = true;
    text.chars()
        .flat_map(|c| {
            let upper = begins && c.is_alphabetic();
            begins = c.is_whitespace() || c == '-';
            if upper { c.to_uppercase().collect::<Vec<_>>() } else { vec![c] }
        })
        .collect()
}
