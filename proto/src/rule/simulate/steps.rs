//! What a node of the simulated world does when the rule has spoken.

use super::fault::Place;
use super::timeline::What;
use super::wait::Until;
use super::world::{Doing, Due, World};
use crate::documents::Digest;
use crate::documents::plan::Action;
use crate::evidence::Event;
use crate::evidence::receipt::Outcome;
use crate::rule::decision::{Answer, Decision, Final, Permit, Stage, Step, Test};
use crate::rule::reason::{Reason, Why};

/// A node that fails after its `done` does so within this time.
const CRASH_AFTER_MS: u64 = 60_000;

impl World<'_> {
    /// Asks what the actor does now, and begins it.
    pub(super) fn ask(&mut self, actor: usize) {
        if matches!(self.actors[actor].me.test, Test::CannotTell(_)) && self.seats.chain_advances()
        {
            self.actors[actor].me.test = Test::Unknown;
        }
        match self.decision(actor) {
            Decision::Do(step) => self.step(actor, step),
            Decision::Wait(reason) => self.wait(actor, &reason),
            Decision::Undo(_) => self.undo(actor),
            Decision::Finished(_) => {}
            Decision::Stuck(why) => {
                self.actors[actor].stuck = Some(why.text.clone());
                self.tell(Some(actor), What::Stuck { why: why.text });
            }
        }
    }

    fn step(&mut self, actor: usize, step: Step) {
        let times = self.options.times;
        let (doing, span) = match step {
            Step::Acknowledge { .. } => (Doing::Acknowledge, times.travel),
            Step::Ask => return self.asks(actor),
            Step::Decline(reason) => return self.declines(actor, reason),
            Step::Prepare => (Doing::Prepare, times.prepare),
            Step::Begin(permit) if self.actors[actor].on_beat => return self.begins(actor, permit),
            Step::Begin(_) => (Doing::Beat, times.beat),
            Step::Stop => {
                self.actors[actor].gone_ms = Some(self.now_ms);
                self.falls(actor);
                (Doing::Stop, times.stop)
            }
            Step::Swap => (Doing::Swap, times.swap),
            Step::Start => (Doing::Start, times.start),
            Step::Test => return self.tests(actor),
            Step::Commit => (Doing::Commit, times.commit),
        };
        let ms = self.random.within(span);
        self.schedule_in(ms, actor, Due::Stepped(doing));
    }

    fn wait(&mut self, actor: usize, reason: &Reason) {
        self.actors[actor].on_beat = false;
        if let Reason::Soak { wave, .. } = reason
            && let Some(at) = self.soaked_at(wave).filter(|at| *at > self.now_ms)
        {
            return self.schedule_in(at - self.now_ms, actor, Due::Ask);
        }
        if let Reason::Slot { at, .. } = reason {
            let ms = at.duration_since(self.date()).as_millis();
            self.schedule_in(u64::try_from(ms).unwrap_or(0), actor, Due::Ask);
        }
        if let Reason::Over { .. } | Reason::Expired(_) = reason {
            self.ends(reason);
        }
        let until = Until::of(reason, self);
        self.rests(actor, until);
    }

    fn asks(&mut self, actor: usize) {
        self.actors[actor].me.policy = Answer::Ask { since: Some(self.date()) };
        self.says(actor, &Event::Asked);
        self.tell(Some(actor), What::Asked);
        self.schedule_in(0, actor, Due::Ask);
    }

    fn declines(&mut self, actor: usize, reason: String) {
        self.actors[actor].me.stage = Stage::Over(Final::Declined);
        self.says(actor, &Event::Declined { reason });
        self.tell(Some(actor), What::Declined);
    }

    /// The rule has spoken twice, the beat between: the effect follows at once.
    fn begins(&mut self, actor: usize, permit: Permit) {
        self.actors[actor].me.stage = Stage::Begun;
        let (sum, heads) = (permit.sum, permit.heads);
        self.says(actor, &Event::Began { sum, heads });
        let began = What::Began { sum };
        if self.plan.drill.is_dry() {
            self.tell(Some(actor), began);
            return self.commits(actor);
        }
        self.ask(actor);
        self.tell(Some(actor), began);
    }

    /// The test sees how long it takes to be at tip.
    fn tests(&mut self, actor: usize) {
        self.actors[actor].me.test = Test::NotYet(why("not at tip yet"));
        let late = self.actors[actor].fails_at(Place::Test);
        let ms = if late {
            self.plan.health.ready_ms
        } else {
            self.random.within(self.options.times.catch_up)
        };
        self.schedule_in(ms, actor, Due::Stepped(Doing::CatchUp));
    }

    fn undo(&mut self, actor: usize) {
        self.actors[actor].me.undoing = true;
        let times = self.options.times;
        let was_away = self.actors[actor].gone_ms.is_some();
        let spans = [times.stop, times.swap, times.start, times.catch_up, times.commit];
        let ms = match was_away {
            true => spans.map(|span| self.random.within(span)).iter().sum(),
            false => self.random.within(times.commit),
        };
        self.schedule_in(ms, actor, Due::Stepped(Doing::Undo));
    }

    /// A step is over: what it achieved, and what comes next.
    pub(super) fn stepped(&mut self, actor: usize, doing: Doing) {
        match doing {
            Doing::Acknowledge => self.reaches(
                actor,
                Stage::Acknowledged,
                Some(Event::Acknowledged { in_hand: None }),
            ),
            Doing::Prepare if self.actors[actor].fails_at(Place::Prepare) => {
                self.fails(actor, why("the image cannot be had"))
            }
            Doing::Prepare => self.reaches(actor, Stage::Prepared, Some(Event::Prepared)),
            Doing::Beat => self.actors[actor].on_beat = true,
            Doing::Stop if self.actors[actor].fails_at(Place::Stop) => {
                self.fails(actor, why("the container does not exit"))
            }
            Doing::Stop => {
                let stopped =
                    Event::Stopped { height: None, block_hash: None, exit: 0, beside: None };
                self.reaches(actor, Stage::Stopped, Some(stopped));
            }
            Doing::Swap => self.reaches(actor, Stage::Swapped, None),
            Doing::Start if self.actors[actor].fails_at(Place::Start) => {
                self.fails(actor, why("the container does not start"))
            }
            Doing::Start => {
                self.actors[actor].running = true;
                self.reaches(actor, Stage::Started, None);
            }
            Doing::CatchUp => self.caught_up(actor),
            Doing::Hold => self.actors[actor].me.test = Test::Pass,
            Doing::Commit => self.commits(actor),
            Doing::Undo => self.undone(actor),
        }
        self.schedule_in(0, actor, Due::Ask);
    }

    fn reaches(&mut self, actor: usize, stage: Stage, receipt: Option<Event>) {
        self.actors[actor].me.stage = stage;
        if let Some(event) = receipt {
            self.says(actor, &event);
        }
    }

    fn fails(&mut self, actor: usize, why: Why) {
        let event = Event::Failed { code: why.code.into(), why: why.text.clone() };
        self.actors[actor].me.failed = Some(why.clone());
        self.says(actor, &event);
        self.tell(Some(actor), What::Failed { why: why.text });
        // The plan may be over by it, which no reason to wait names.
        self.everybody_asks();
    }

    fn caught_up(&mut self, actor: usize) {
        if self.actors[actor].fails_at(Place::Test) {
            let late = why("not at tip in time");
            self.actors[actor].me.test = Test::Fail(late.clone());
            return self.fails(actor, late);
        }
        self.rises(actor);
        // A fleet that starts is well when it runs: nobody can advance before a quorum does.
        let starts = matches!(self.plan.action, Action::Start);
        if !self.seats.chain_advances() && !starts {
            self.actors[actor].me.test = Test::CannotTell(why("the chain stands still"));
            return;
        }
        self.actors[actor].me.test = Test::Holding;
        self.schedule_in(self.plan.health.hold_ms, actor, Due::Stepped(Doing::Hold));
    }

    fn commits(&mut self, actor: usize) {
        self.actors[actor].me.stage = Stage::Over(Final::Done);
        let away_ms = self.away_ms(actor);
        self.says(actor, &Event::Done(outcome(away_ms)));
        self.tell(Some(actor), What::Done { away_ms });
        self.counts(actor);
        if self.actors[actor].fails_at(Place::After) {
            self.schedule_in(CRASH_AFTER_MS, actor, Due::Crash);
        }
        self.changed(actor);
    }

    fn undone(&mut self, actor: usize) {
        self.actors[actor].me.stage = Stage::Over(Final::RolledBack);
        self.actors[actor].running = true;
        self.rises(actor);
        let away_ms = self.away_ms(actor);
        self.says(actor, &Event::RolledBack(outcome(away_ms)));
        self.tell(Some(actor), What::RolledBack { away_ms });
    }

    pub(super) fn crash(&mut self, actor: usize) {
        self.falls(actor);
        self.tell(Some(actor), What::Crashed);
    }

    /// From the stop until it was well again.
    fn away_ms(&self, actor: usize) -> Option<u64> {
        let actor = &self.actors[actor];
        actor.gone_ms.zip(actor.back_ms).map(|(gone, back)| back.saturating_sub(gone))
    }
}

fn outcome(away_ms: Option<u64>) -> Outcome {
    Outcome { version: None, height: None, image: Digest::of(b""), away_ms, would: None }
}

/// Not a code of an agent: nothing of this ever happens to a real node.
fn why(text: &str) -> Why {
    Why { code: "simulated", text: text.into() }
}
