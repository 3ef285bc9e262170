//! Open intents, read windows and counted denials, with times as values.

use base::{Actor, DecisionId, Timestamp};

use crate::{
    Admission, DenialCounter, Entry, FLOOD_SESSIONS_MAX, FLOOD_SOURCES_MAX, OpenIntents, Outcome, Phase,
    READ_WINDOW_SECS, ReadWindows, Sender, Status, UserIdentity, Window,
};

fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + secs).unwrap()
}

fn id(number: u64) -> DecisionId {
    format!("00000000-0000-7000-8000-{number:012x}").parse().unwrap()
}

fn intent(number: u64, secs: i64) -> Entry {
    let who = UserIdentity::new(Actor::Service("00000000-0000-7000-8000-000000000abc".parse().unwrap()));
    Entry::new(Phase::Intent, id(number), at(secs), "s3.amazonaws.com", "GetObject", who)
}

#[test]
fn orphans_are_closed_as_unknown_by_the_system() {
    let mut open = OpenIntents::new();
    for number in 1..=3 {
        open.observe(&intent(number, number as i64)).unwrap();
    }
    let done = Outcome { status: Status::Ok, code: None, bytes: Some(1), offset: None, shown: None };
    open.observe(&Entry::outcome_of(&intent(2, 2), id(20), at(4), done)).unwrap();
    assert_eq!(open.len(), 2);
    let mut next = 100;
    let mut fresh = || {
        next += 1;
        id(next)
    };
    let swept = open.sweep(at(3), at(9), &mut fresh);
    assert_eq!(swept.iter().map(|entry| entry.of.unwrap()).collect::<Vec<_>>(), [id(1)], "3 is not old enough");
    assert_eq!(swept[0].outcome.unwrap().status, Status::Unknown);
    assert_eq!(swept[0].user_identity, UserIdentity::new(Actor::System));
    let rest = open.sweep(at(100), at(100), &mut fresh);
    assert_eq!(rest.len(), 1);
    assert!(open.is_empty() && open.sweep(at(200), at(200), fresh).is_empty());
}

#[test]
fn a_window_intent_closes_by_time_and_not_by_outcomes() {
    let mut open = OpenIntents::new();
    let mut window = intent(1, 0);
    window.window = Some(Window { until: at(60) });
    open.observe(&window).unwrap();
    let read = Outcome { status: Status::Ok, code: Some(206), bytes: Some(1), offset: Some(0), shown: None };
    open.observe(&Entry::outcome_of(&window, id(2), at(1), read)).unwrap();
    assert!(open.contains(id(1)));
    assert!(open.sweep(at(59), at(59), || id(3)).is_empty() && open.contains(id(1)));
    assert!(open.sweep(at(61), at(61), || id(3)).is_empty() && open.is_empty());
}

#[test]
fn the_first_read_waits_and_the_next_minute_is_covered() {
    let mut windows = ReadWindows::new();
    let session = "00000000-0000-7000-8000-000000000001".parse().unwrap();
    let other = "00000000-0000-7000-8000-000000000002".parse().unwrap();
    let version = "00000000-0000-7000-8000-000000000003".parse().unwrap();
    let Admission::NeedsIntent { until } = windows.admit(session, version, at(0)) else { panic!("nothing covers it") };
    assert_eq!(until, at(READ_WINDOW_SECS));
    windows.opened(session, version, id(1), until, at(0));
    assert_eq!(windows.admit(session, version, at(59)), Admission::Covered { intent: id(1) });
    assert_eq!(windows.admit(session, version, at(60)), Admission::NeedsIntent { until: at(120) });
    assert!(matches!(windows.admit(other, version, at(1)), Admission::NeedsIntent { .. }), "another session");
    windows.opened(other, version, id(2), at(90), at(30));
    windows.cut(session);
    assert!(matches!(windows.admit(session, version, at(1)), Admission::NeedsIntent { .. }), "a cut session");
    windows.expire(at(90));
    assert!(windows.is_empty());
    assert_eq!(windows.len(), 0);
}

// verifies: AUD-11
#[test]
fn a_flood_of_failures_becomes_few_entries() {
    let mut counter = DenialCounter::new();
    let mut next = 0;
    let mut fresh = || {
        next += 1;
        id(next)
    };
    let source = |number: usize| crypto::sha256(&number.to_be_bytes());
    for number in 0..FLOOD_SOURCES_MAX * 3 {
        assert!(counter.count("bad_signature", Sender::Stranger(source(number)), at(0), &mut fresh).is_empty());
    }
    for _ in 0..5 {
        counter.count("bad_signature", Sender::Stranger(source(1)), at(59), &mut fresh);
    }
    let entries = counter.count("expired_token", Sender::Stranger(source(1)), at(61), &mut fresh);
    assert_eq!(entries.len(), FLOOD_SOURCES_MAX + 1);
    let counts: Vec<_> = entries.iter().map(|entry| entry.denials.clone().unwrap()).collect();
    assert_eq!(counts.iter().map(|count| count.count).sum::<u64>(), FLOOD_SOURCES_MAX as u64 * 3 + 5, "none is lost");
    let rest: Vec<_> = counts.iter().filter(|count| count.source.is_none()).collect();
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].count, FLOOD_SOURCES_MAX as u64 * 2);
    assert!(counts.iter().any(|count| count.source == Some(source(1)) && count.count == 6));
    assert!(counts.iter().all(|count| count.minute == at(0)));
    assert!(counter.flush(at(62), &mut fresh).is_empty(), "the minute runs");
    assert_eq!(counter.flush(at(121), &mut fresh).len(), 1);
    assert!(counter.finish(at(121), fresh).is_empty());
}

// verifies: AUD-11
#[test]
fn whom_the_ledger_knows_is_counted_by_name_and_strangers_do_not_take_the_room() {
    let mut counter = DenialCounter::new();
    let mut next = 0;
    let mut fresh = || {
        next += 1;
        id(next)
    };
    let source = |number: usize| Sender::Stranger(crypto::sha256(&number.to_be_bytes()));
    let actor = Actor::Service("00000000-0000-7000-8000-000000000abc".parse().unwrap());
    let session = |number: usize| UserIdentity {
        session: Some(format!("00000000-0000-7000-8000-{number:012x}").parse().unwrap()),
        ..UserIdentity::new(actor)
    };
    for number in 0..FLOOD_SOURCES_MAX * 2 {
        counter.count("s3:malformed", source(number), at(0), &mut fresh);
    }
    for number in 0..FLOOD_SESSIONS_MAX + 5 {
        counter.count("s3:malformed", Sender::Known(&session(number)), at(1), &mut fresh);
    }
    counter.count("s3:malformed", Sender::Known(&session(1)), at(2), &mut fresh);
    let entries = counter.finish(at(3), fresh);
    assert_eq!(entries.len(), FLOOD_SOURCES_MAX + FLOOD_SESSIONS_MAX + 1, "what is held is bounded");
    let of = |entry: &&Entry| entry.user_identity == session(1);
    let known = entries.iter().find(of).unwrap();
    assert_eq!((known.event_name.as_str(), known.denials.as_ref().unwrap().count), ("Refused", 2));
    let all: u64 = entries.iter().map(|entry| entry.denials.as_ref().unwrap().count).sum();
    assert_eq!(all, (FLOOD_SOURCES_MAX * 2 + FLOOD_SESSIONS_MAX + 6) as u64, "none is lost");
}
