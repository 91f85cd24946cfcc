//! What the oracle counts: steps, days, people, and the time between them.

use jiff::civil::Date;
use warmfront_core::address::Address;
use warmfront_core::span::{HOUR, MINUTE, Millis};
use warmfront_core::warmup::Curve;

use super::super::hours::{business_days, date};
use super::super::record::{Attempt, End};
use super::super::scenario::{Campaign, Mailbox, Wait};
use super::{Budget, Key, Message, Oracle};

impl Oracle {
    /// Whether this step may be there already, under whatever name.
    pub(super) fn twice(&self, attempt: &Attempt) -> Option<&'static str> {
        let earlier = self.seen.messages.get(&key(attempt))?;
        if earlier.id != attempt.letter.message_id {
            return Some("the same step under another Message-ID");
        }
        earlier.may_be_there.then_some("a step that may be there already")
    }

    pub(super) fn too_soon_for_the_person(&self, attempt: &Attempt) -> Option<&'static str> {
        let earlier = self.seen.last_by_person.get(&attempt.to)?;
        let this = key(attempt);
        let others = earlier.iter().filter(|(other, _)| **other != this);
        let last = others.map(|(_, at)| *at).max()?;
        (attempt.at - last < self.scenario.person_gap)
            .then_some("two messages too close for one person")
    }

    /// Whether a follow-up waits for the step before it, and for proof that nobody answered.
    pub(super) fn before_its_time(
        &self,
        campaign: &Campaign,
        attempt: &Attempt,
    ) -> Option<&'static str> {
        let step = attempt.letter.step;
        let Some(position) = usize::try_from(step).ok().and_then(|step| step.checked_sub(1)) else {
            return Some("steps count from 1");
        };
        let wait = campaign.steps[position].wait?;
        let before = (campaign.slug.clone(), attempt.to.clone(), step - 1);
        let answered = self.seen.messages.get(&before).and_then(|message| message.accepted_at);
        let proven = self.seen.proven.get(&before).filter(|(told_at, _)| *told_at <= attempt.at);
        let Some(accepted_at) = answered.or(proven.map(|(_, held_at)| *held_at)) else {
            return Some("a follow-up to what nobody accepted");
        };
        let readings = self.seen.readings.get(&attempt.mailbox).into_iter().flatten();
        let read_at = readings.rev().find(|read_at| **read_at <= attempt.at);
        if read_at.is_none_or(|read_at| attempt.at - read_at > FRESH) {
            return Some("a follow-up without a fresh look into the inbox");
        }
        let (zones, fallback) = self.home(campaign, &attempt.to);
        let zone = zones.first().unwrap_or(&fallback);
        let (from, to) = (date(zone, accepted_at), date(zone, attempt.at));
        let waited = match wait {
            Wait::Hours(hours) => attempt.at - accepted_at >= Millis::from(hours) * HOUR,
            Wait::Days(days) => i64::from((to - from).get_days()) >= i64::from(days),
            Wait::BusinessDays(days) => {
                business_days(from, to, &campaign.hours.holidays) >= i64::from(days)
            }
        };
        (!waited).then_some("a follow-up before its wait was over")
    }

    /// Takes an attempt into account, and sees that no limit of its day is passed.
    pub(super) fn count(&mut self, campaign: &Campaign, mailbox: &Mailbox, attempt: &Attempt) {
        let key = key(attempt);
        self.seen.last_by_mailbox.insert(attempt.mailbox.clone(), attempt.at);
        let message = self.seen.messages.entry(key.clone()).or_insert_with(|| Message {
            id: attempt.letter.message_id.clone(),
            accepted_at: None,
            may_be_there: false,
        });
        match attempt.end {
            Some(End::Answered(code)) if code / 100 == 2 => {
                message.accepted_at = Some(attempt.at);
                message.may_be_there = true;
            }
            Some(End::InDoubt) => message.may_be_there = true,
            None => message.may_be_there |= attempt.counts(),
            Some(End::Answered(_) | End::NotSent) => {}
        }
        if !attempt.counts() {
            return;
        }
        let people = &mut self.seen.last_by_person;
        people.entry(attempt.to.clone()).or_default().insert(key.clone(), attempt.at);
        let thread = (campaign.slug.clone(), attempt.to.clone());
        self.seen.threads.entry(thread).or_insert_with(|| attempt.mailbox.clone());
        let day = date(&self.zone, attempt.at);
        let steps = self.seen.steps_of_a_day.entry((campaign.slug.clone(), day)).or_default();
        steps.insert(key);
        let target = campaign.daily_target as usize;
        assert!(steps.len() <= target, "{} passes its target: {attempt:?}", campaign.slug);
        self.count_budgets(mailbox, attempt, day);
    }

    fn count_budgets(&mut self, mailbox: &Mailbox, attempt: &Attempt, day: Date) {
        let scenario = std::sync::Arc::clone(&self.scenario);
        let elapsed = (day - scenario.first_day).get_days().unsigned_abs();
        let most = most(&mailbox.curve, mailbox.warm_days + elapsed, mailbox.cap);
        let address = attempt.mailbox.to_string();
        self.spend(Budget::Mailbox, address, day, most, attempt);
        let domain = attempt.mailbox.domain().to_owned();
        self.spend(Budget::Domain, domain, day, scenario.domain_per_day, attempt);
        if let Some(tenant) = &mailbox.tenant {
            self.spend(Budget::Tenant, tenant.clone(), day, scenario.tenants[tenant], attempt);
        }
        if let Some(company) = company(&attempt.to) {
            self.spend(Budget::Company, company, day, scenario.company_per_day, attempt);
        }
    }

    fn spend(&mut self, budget: Budget, name: String, day: Date, most: u32, attempt: &Attempt) {
        let spent = self.seen.counts.entry((budget, name, day)).or_default();
        *spent += 1;
        assert!(*spent <= most, "{budget:?}: {spent} of {most} on {day}: {attempt:?}");
    }
}

pub(super) fn key(attempt: &Attempt) -> Key {
    (attempt.letter.campaign.clone(), attempt.to.clone(), attempt.letter.step)
}

/// The most a curve allows after so many warm days, were every day warm.
fn most(curve: &Curve, warm_days: u32, cap: u32) -> u32 {
    let most = match curve {
        Curve::Off => cap,
        Curve::Linear { start, step } => start + step * warm_days,
        Curve::Table(days) => days[(warm_days as usize).min(days.len() - 1)],
        Curve::Growth { start, percent } => {
            let grow = |most: u32| (most * (100 + percent)).div_ceil(100).min(1_000);
            (0..warm_days).fold(*start, |most, _| grow(most))
        }
    };
    most.min(cap)
}

/// In scenarios a company is the last two labels of a domain, and two domains are free mail.
pub(super) fn company(person: &Address) -> Option<String> {
    let domain = person.domain();
    if ["gmail.com", "outlook.com"].contains(&domain) {
        return None;
    }
    let mut labels = domain.rsplit('.');
    let (last, second) = (labels.next()?, labels.next()?);
    Some(format!("{second}.{last}"))
}

/// How old a look into the inbox may be.
const FRESH: Millis = 15 * MINUTE;
