//! Sequences that nobody thought of.

use fastrand::Rng;
use harness::magento::Person;

use crate::{
    model::{FlowNumber, LIFETIME, Op, PEOPLE},
    run::{Fault, Round},
};

/// What a sequence is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// One operation after the other.
    OneByOne,
    /// Up to four at once.
    AtOnce,
    /// One or two at once, before a database that fails, and what it fails once more.
    Faulty,
}

/// The flows that a sequence has begun.
#[derive(Default)]
struct Flows {
    count: FlowNumber,
    /// The first one since time passed: those before it end when it passes once more.
    recent: FlowNumber,
    /// Whose answer has not come back.
    out: Vec<FlowNumber>,
    /// Whose answer has come back.
    back: Vec<FlowNumber>,
    /// Of those, the ones that may wait for their user.
    waiting: Vec<FlowNumber>,
    /// The ones that will never be committed without a question.
    replacing: Vec<FlowNumber>,
}

/// Whether the service of the sequence called `seed` asks before it links an identity with another address.
pub(crate) const fn asks(seed: u64) -> bool {
    seed.is_multiple_of(2)
}

/// The sequence called `seed`.
pub(crate) fn rounds(style: Style, seed: u64) -> Vec<Round> {
    let mut random = Rng::with_seed(seed);
    let mut flows = Flows::default();
    let count = if style == Style::OneByOne { 60 } else { 24 };
    (0..count)
        .map(|_| round(style, &mut random, &mut flows, asks(seed)))
        .collect()
}

fn round(style: Style, random: &mut Rng, flows: &mut Flows, asks: bool) -> Round {
    let size = match style {
        Style::OneByOne => 1,
        Style::AtOnce => random.usize(2..=4),
        Style::Faulty => random.usize(1..=2),
    };
    // Now and then flows and pending links expire.
    let wait = if random.u8(..30) == 0 { LIFETIME + 1 } else { 1 };
    if wait > 1 {
        // Magento.com's page does not wait for ever either.
        flows.out.retain(|flow| *flow >= flows.recent);
        flows.recent = flows.count;
    }
    let mut started = Vec::new();
    let mut ops = Vec::new();
    for _ in 0..size {
        ops.push(op(random, flows, &mut started, asks));
    }
    // What starts in a round can only go on in a later one.
    flows.out.extend(started);
    let faults = if style == Style::Faulty {
        faults(random)
    } else {
        Vec::new()
    };
    Round { wait, ops, faults }
}

fn op(random: &mut Rng, flows: &mut Flows, started: &mut Vec<FlowNumber>, asks: bool) -> Op {
    let account = person(random);
    let op = match random.u8(..100) {
        0..28 => callback(random, flows, asks),
        28..56 => decide(random, flows),
        56..60 => Some(Op::Unlink { account }),
        60..62 => Some(Op::UnlinkByServer { account }),
        62..65 => Some(Op::Exempt {
            account,
            rounds: random.i64(1..40),
        }),
        65..68 => Some(Op::EndExemption { account }),
        68..71 => Some(Op::Status { account }),
        71..74 => Some(Op::Policy { account }),
        74..78 => Some(Op::SignIn {
            identity: person(random),
        }),
        _ => None,
    };
    op.unwrap_or_else(|| {
        let flow = flows.count;
        flows.count += 1;
        started.push(flow);
        let replace = random.bool();
        if replace {
            flows.replacing.push(flow);
        }
        Op::Start {
            flow,
            account,
            identity: person(random),
            replace,
        }
    })
}

fn callback(random: &mut Rng, flows: &mut Flows, asks: bool) -> Option<Op> {
    match random.u8(..10) {
        0 => any(random, &flows.out).map(|flow| Op::CallbackElsewhere { flow }),
        1 => any(random, &flows.back).map(|flow| Op::Callback { flow }),
        _ => {
            let flow = any(random, recent(&flows.out))?;
            // Sometimes it comes twice, at once even.
            if random.u8(..5) > 0 {
                flows.out.retain(|other| *other != flow);
                flows.back.push(flow);
                if asks || flows.replacing.contains(&flow) {
                    flows.waiting.push(flow);
                }
            }
            Some(Op::Callback { flow })
        }
    }
}

fn decide(random: &mut Rng, flows: &mut Flows) -> Option<Op> {
    // Most of all about what waits, but then also about what has been decided, or never was in question.
    let about = if random.u8(..4) > 0 {
        &flows.waiting
    } else {
        &flows.back
    };
    let flow = any(random, recent(about))?;
    let op = match random.u8(..12) {
        0..2 => Op::Look { flow },
        2 => Op::Decline { flow },
        _ => Op::Confirm { flow },
    };
    if !matches!(op, Op::Look { .. }) && random.u8(..4) > 0 {
        flows.waiting.retain(|other| *other != flow);
    }
    Some(op)
}

/// Up to as many failures of one kind as exhaust the patience of the functions, for each operation.
fn faults(random: &mut Rng) -> Vec<(&'static str, Fault, usize)> {
    if random.bool() {
        return Vec::new();
    }
    ["GetItem", "PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"]
        .map(|operation| {
            let fault = [Fault::LostRequest, Fault::LostAnswer, Fault::Throttled, Fault::Conflict][random.usize(..4)];
            (operation, fault, random.usize(..=3))
        })
        .to_vec()
}

/// The last ones, which are of more interest.
fn recent(flows: &[FlowNumber]) -> &[FlowNumber] {
    &flows[flows.len().saturating_sub(4)..]
}

fn any(random: &mut Rng, flows: &[FlowNumber]) -> Option<FlowNumber> {
    random.choice(flows).copied()
}

fn person(random: &mut Rng) -> Person {
    PEOPLE[random.usize(..PEOPLE.len())]
}
