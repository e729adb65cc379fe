//! What the service does, as simply as it can be said: who is linked to whom, and what each operation makes of that.
//!
//! It knows nothing of cookies, transactions or milliseconds. Time is a count of rounds; what lies between two rounds is in `docs/architecture.md`,
//! whose table of transitions has one row for each [`Row`].

use std::collections::BTreeMap;

use harness::magento::Person;

/// The rows of the table of transitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Row {
    Claim,
    Link,
    LinkAgain,
    LinkAnother,
    Switch,
    TakenIdentity,
    Outdated,
    Repeat,
    Decline,
    Unlink,
    UnlinkNothing,
    Exempt,
    EndExemption,
    EndNoExemption,
    HandOutTicket,
    RedeemTicket,
}

impl Row {
    /// All of them, as the table names them.
    pub(crate) const ALL: [(Self, &str); 16] = [
        (Self::Claim, "claim"),
        (Self::Link, "link"),
        (Self::LinkAgain, "link again"),
        (Self::LinkAnother, "link another"),
        (Self::Switch, "switch"),
        (Self::TakenIdentity, "taken identity"),
        (Self::Outdated, "outdated"),
        (Self::Repeat, "repeat"),
        (Self::Decline, "decline"),
        (Self::Unlink, "unlink"),
        (Self::UnlinkNothing, "unlink nothing"),
        (Self::Exempt, "exempt"),
        (Self::EndExemption, "end exemption"),
        (Self::EndNoExemption, "end no exemption"),
        (Self::HandOutTicket, "hand out ticket"),
        (Self::RedeemTicket, "redeem ticket"),
    ];
}

/// A round's number.
pub(crate) type Tick = i64;

/// For how many rounds after its own a flow, or a pending link, lives.
pub(crate) const LIFETIME: Tick = 37;

/// For how many rounds after its own a code of Magento.com's lives.
const CODE_LIFETIME: Tick = 3;

/// Which of the flows.
pub(crate) type FlowNumber = usize;

/// What somebody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// The user of `account` starts a flow and will sign `identity` in at Magento.com.
    Start {
        flow: FlowNumber,
        account: Person,
        identity: Person,
        replace: bool,
    },
    /// Magento.com's answer comes to the browser that started the flow. It may have come before: the browser kept its cookie.
    Callback { flow: FlowNumber },
    /// The same in another session of the same account, to which somebody copied the cookie.
    CallbackElsewhere { flow: FlowNumber },
    /// The browser asks what there is to confirm.
    Look { flow: FlowNumber },
    /// The user confirms, or does so again with a copy of the cookie.
    Confirm { flow: FlowNumber },
    /// The user declines, or does so again with a copy of the cookie.
    Decline { flow: FlowNumber },
    /// The user of `account` disconnects.
    Unlink { account: Person },
    /// A server ends the link of `account`.
    UnlinkByServer { account: Person },
    /// A server exempts `account` for so many more rounds.
    Exempt { account: Person, rounds: Tick },
    /// A server ends the exemption of `account`.
    EndExemption { account: Person },
    /// The settings page asks for the status of `account`.
    Status { account: Person },
    /// A server asks how `account` may sign in.
    Policy { account: Person },
    /// Somebody signs in with `identity`, and a server redeems the ticket.
    SignIn { identity: Person },
}

/// The answer to somebody whom the database failed.
pub(crate) const UNAVAILABLE: &str = "temporarily_unavailable";

/// What is known of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    /// Whom it is linked to, and since when.
    pub(crate) link: Option<(Person, Tick)>,
    /// When it was unlinked or switched last.
    pub(crate) flows_valid_after: Option<Tick>,
    /// The last round of its exemption.
    pub(crate) exempt_until: Option<Tick>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Flow {
    account: Person,
    identity: Person,
    replace: bool,
    started: Tick,
    /// Whether its account was unlinked or switched since then.
    outdated: bool,
    /// When Magento.com answered.
    answered: Option<Tick>,
    progress: Progress,
    /// Whether it linked (else its user declined).
    ended: Option<bool>,
    refused: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Out,
    Claimed,
    /// It waits for its user since then.
    Pending(Tick),
}

/// An entry of the history: whose, what, when.
pub(crate) type Event = (&'static str, &'static str, Tick);

/// Everything there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) now: Tick,
    /// The last round in which linking is not required.
    pub(crate) free_until: Tick,
    /// Whether an account is linked without a question only to the identity with its own, verified, address.
    pub(crate) asks: bool,
    pub(crate) accounts: [Account; 3],
    flows: BTreeMap<FlowNumber, Flow>,
    /// Sorted: in which order they came within a round, nobody knows.
    pub(crate) events: Vec<Event>,
}

/// What an operation comes to.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) answer: String,
    pub(crate) next: Model,
    /// The rows that it went through.
    pub(crate) rows: Vec<Row>,
}

impl Model {
    pub(crate) fn new(asks: bool, free_until: Tick) -> Self {
        Self {
            now: 0,
            free_until,
            asks,
            accounts: Default::default(),
            flows: BTreeMap::new(),
            events: Vec::new(),
        }
    }

    /// Some rounds pass until those are done; Magento.com answers each flow that they take up, once.
    pub(crate) fn begin(&mut self, wait: Tick, ops: &[Op]) {
        self.now += wait;
        for op in ops {
            if let Op::Callback { flow } | Op::CallbackElsewhere { flow } = *op {
                let now = self.now;
                self.flow(flow).answered.get_or_insert(now);
            }
        }
    }

    /// What `op` comes to.
    pub(crate) fn step(&self, op: Op) -> Step {
        let (mut next, mut rows) = (self.clone(), Vec::new());
        let answer = next.apply(op, &mut rows);
        next.events.sort_unstable();
        Step { answer, next, rows }
    }

    /// What `op` may have left behind when the database failed it: nothing, all, or a flow that is claimed and no more.
    pub(crate) fn interrupted(&self, op: Op) -> Vec<Self> {
        let mut left = vec![self.clone(), self.step(op).next];
        if let Op::Callback { flow } = op
            && self.is_live(flow)
            && self.flows[&flow].progress == Progress::Out
        {
            let mut claimed = self.clone();
            claimed
                .flows
                .entry(flow)
                .and_modify(|flow| flow.progress = Progress::Claimed);
            left.push(claimed);
        }
        left
    }

    /// This, without the entry for the refusal of `op` in `before`, which is written when the answer is already certain.
    pub(crate) fn unrecorded(mut self, before: &Self) -> Self {
        self.events.clone_from(&before.events);
        for (number, flow) in &mut self.flows {
            flow.refused = before.flows[number].refused;
        }
        self
    }

    fn apply(&mut self, op: Op, rows: &mut Vec<Row>) -> String {
        match op {
            Op::Start {
                flow,
                account,
                identity,
                replace,
            } => {
                let started = Flow {
                    account,
                    identity,
                    replace,
                    started: self.now,
                    outdated: false,
                    answered: None,
                    progress: Progress::Out,
                    ended: None,
                    refused: false,
                };
                self.flows.insert(flow, started);
                "started".to_owned()
            }
            Op::Callback { flow } => self.callback(flow, rows).to_owned(),
            Op::CallbackElsewhere { flow } if self.is_live(flow) => "session_changed".to_owned(),
            Op::CallbackElsewhere { .. } => "flow_unknown".to_owned(),
            Op::Look { flow } => self.look(flow),
            Op::Confirm { flow } if self.is_pending(flow) => self.commit(flow, "nothing_to_confirm", rows).to_owned(),
            Op::Decline { flow } if self.is_pending(flow) => self.decline(flow, rows).to_owned(),
            Op::Confirm { .. } | Op::Decline { .. } => "nothing_to_confirm".to_owned(),
            Op::Unlink { account } => {
                self.unlink(account, rows);
                "unlinked".to_owned()
            }
            Op::UnlinkByServer { account } => {
                self.unlink(account, rows);
                "done".to_owned()
            }
            Op::Exempt { account, rounds } => {
                rows.push(Row::Exempt);
                self.accounts[account as usize].exempt_until = Some(self.now + rounds);
                self.note(account, "exempted");
                "done".to_owned()
            }
            Op::EndExemption { account } => {
                if self.accounts[account as usize].exempt_until.take().is_some() {
                    rows.push(Row::EndExemption);
                    self.note(account, "exemption_ended");
                } else {
                    rows.push(Row::EndNoExemption);
                }
                "done".to_owned()
            }
            Op::Status { account } => {
                let (linked, required) = (self.linked(account), self.is_required(account));
                format!("{linked}, required: {required}")
            }
            Op::Policy { account } => {
                let (linked, required) = (self.linked(account), self.is_required(account));
                let others = match (required, self.accounts[account as usize].link) {
                    (false, _) => "allowed",
                    (true, None) => "link_only",
                    (true, Some(_)) => "refused",
                };
                format!("{linked}, required: {required}, other methods: {others}")
            }
            Op::SignIn { identity } => {
                rows.push(Row::Claim);
                let Some(owner) = self.owner(identity) else {
                    return "not_linked".to_owned();
                };
                rows.extend([Row::HandOutTicket, Row::RedeemTicket]);
                owner.account_id().to_owned()
            }
        }
    }

    fn callback(&mut self, flow: FlowNumber, rows: &mut Vec<Row>) -> &'static str {
        if !self.is_live(flow) {
            return "flow_unknown";
        }
        rows.push(Row::Claim);
        let now = self.now;
        let asks = self.asks;
        let flow_now = self.flow(flow);
        if flow_now.progress != Progress::Out {
            return "flow_unknown";
        }
        flow_now.progress = Progress::Claimed;
        if flow_now.answered.is_some_and(|answered| now - answered > CODE_LIFETIME) {
            return "provider_refused";
        }
        // Alice alone has the same, verified, address in both places.
        let same_address = flow_now.account == Person::Alice && flow_now.identity == Person::Alice;
        if flow_now.replace || (asks && !same_address) {
            flow_now.progress = Progress::Pending(now);
            return "confirm";
        }
        self.commit(flow, "flow_unknown", rows)
    }

    fn look(&self, flow: FlowNumber) -> String {
        if !self.is_pending(flow) {
            return "nothing_to_confirm".to_owned();
        }
        let Flow {
            account,
            identity,
            replace,
            ..
        } = self.flows[&flow];
        let old = self.accounts[account as usize]
            .link
            .filter(|(old, _)| replace && *old != identity);
        let old = old.map_or("nobody", |(old, _)| masked(old));
        format!("{} for {}, replacing {old}", identity.email(), account.account_email())
    }

    /// The order of the conditions is the contract's (section 7).
    fn commit(&mut self, number: FlowNumber, spent: &'static str, rows: &mut Vec<Row>) -> &'static str {
        let now = self.now;
        let Flow {
            account,
            identity,
            replace,
            outdated,
            ended,
            refused,
            ..
        } = self.flows[&number];
        let link = self.accounts[account as usize].link;
        if let Some(linked) = ended {
            rows.push(Row::Repeat);
            return if linked { "linked" } else { spent };
        }
        if outdated {
            rows.push(Row::Outdated);
            return spent;
        }
        if self.owner(identity).is_some_and(|owner| owner != account) {
            rows.push(Row::TakenIdentity);
            if !refused {
                self.flow(number).refused = true;
                self.note(account, "identity_in_use");
            }
            return "identity_in_use";
        }
        let (row, event, since) = match link {
            None => (Row::Link, "linked", now),
            Some((old, since)) if old == identity => (Row::LinkAgain, "linked", since),
            Some(_) if replace => (Row::Switch, "switched", now),
            Some(_) => {
                rows.push(Row::LinkAnother);
                return "account_already_linked";
            }
        };
        rows.push(row);
        self.accounts[account as usize].link = Some((identity, since));
        if row == Row::Switch {
            self.outdate(account);
        }
        self.flow(number).ended = Some(true);
        self.note(account, event);
        "linked"
    }

    fn decline(&mut self, number: FlowNumber, rows: &mut Vec<Row>) -> &'static str {
        rows.push(Row::Decline);
        let flow = self.flow(number);
        let account = flow.account;
        if flow.ended.is_none() {
            flow.ended = Some(false);
            self.note(account, "cancelled");
        }
        "cancelled"
    }

    fn unlink(&mut self, account: Person, rows: &mut Vec<Row>) {
        self.outdate(account);
        if self.accounts[account as usize].link.take().is_some() {
            rows.push(Row::Unlink);
            self.note(account, "unlinked");
        } else {
            rows.push(Row::UnlinkNothing);
        }
    }

    /// Makes worthless whatever `account` has begun.
    fn outdate(&mut self, account: Person) {
        self.accounts[account as usize].flows_valid_after = Some(self.now);
        let begun = self.flows.values_mut().filter(|flow| flow.account == account);
        begun.for_each(|flow| flow.outdated = true);
    }

    fn note(&mut self, account: Person, event: &'static str) {
        self.events.push((account.account_id(), event, self.now));
    }

    fn flow(&mut self, number: FlowNumber) -> &mut Flow {
        self.flows
            .get_mut(&number)
            .expect("a flow is started before anything comes of it")
    }

    fn is_live(&self, flow: FlowNumber) -> bool {
        self.now - self.flows[&flow].started <= LIFETIME
    }

    fn is_pending(&self, flow: FlowNumber) -> bool {
        matches!(self.flows[&flow].progress, Progress::Pending(since) if self.now - since <= LIFETIME)
    }

    fn owner(&self, identity: Person) -> Option<Person> {
        let owns = |account: &Person| {
            self.accounts[*account as usize]
                .link
                .is_some_and(|(linked, _)| linked == identity)
        };
        PEOPLE.into_iter().find(owns)
    }

    fn linked(&self, account: Person) -> &'static str {
        self.accounts[account as usize]
            .link
            .map_or("nobody", |(identity, _)| masked(identity))
    }

    fn is_required(&self, account: Person) -> bool {
        let exempt = self.accounts[account as usize]
            .exempt_until
            .is_some_and(|last| self.now <= last);
        self.now > self.free_until && !exempt
    }
}

/// Everybody with an account here and an identity there.
pub(crate) const PEOPLE: [Person; 3] = [Person::Alice, Person::Bruno, Person::Chloe];

/// The address of `identity` as the contract masks it.
pub(crate) const fn masked(identity: Person) -> &'static str {
    match identity {
        Person::Alice => "a***@example.com",
        Person::Bruno => "b***@shop.example",
        Person::Chloe => "c***@example.com",
    }
}
