//! Gates between waves: enough `done`, and well for long enough after it (rule 8).

use super::decision::Final;
use super::reason::Reason;
use super::sight::{Row, Sight, millis};
use crate::documents::NodeName;
use crate::documents::plan::Wave;

/// How far a wave's gate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gate {
    /// Nodes with `done`.
    pub done: u32,
    /// Nodes with `done` and the proof of the soak.
    pub soaked: u32,
    /// Needed of both.
    pub needed: u32,
}

impl Gate {
    /// Enough are done and have soaked.
    pub fn is_met(self) -> bool {
        self.soaked >= self.needed
    }
}

/// Counts one wave.
pub fn gate(sight: &Sight<'_>, wave: &Wave) -> Gate {
    let mut gate = Gate { done: 0, soaked: 0, needed: wave.done };
    for row in wave.nodes.iter().filter_map(|node| sight.row(node)) {
        if row.outcome() == Some(Final::Done) {
            gate.done += 1;
            gate.soaked += u32::from(has_soaked(sight, wave, row));
        }
    }
    gate
}

/// The first earlier wave whose gate is not met, as the reason to wait.
///
/// # Errors
/// [`Reason::Gate`] or [`Reason::Soak`].
pub fn earlier_waves(sight: &Sight<'_>, mine: usize) -> Result<(), Reason> {
    for wave in &sight.plan().waves[..mine] {
        let gate = gate(sight, wave);
        if gate.done < gate.needed {
            return Err(Reason::Gate {
                wave: wave.name.clone(),
                done: gate.done,
                gate: gate.needed,
            });
        }
        if !gate.is_met() {
            return Err(Reason::Soak {
                wave: wave.name.clone(),
                soaked: gate.soaked,
                gate: gate.needed,
                soak_ms: wave.soak_ms,
            });
        }
    }
    Ok(())
}

/// A good beacon of the same agent, dated at least the soak after its own `done`. Both dates
/// come from one clock, so clocks that differ prove nothing and disprove nothing.
fn has_soaked(sight: &Sight<'_>, wave: &Wave, row: &Row<'_>) -> bool {
    if wave.soak_ms == 0 {
        return true;
    }
    let done = row.plan.and_then(|plan| plan.outcome).map(|(_, at)| at);
    let beacon = row.facts.and_then(|facts| facts.beacon.as_ref());
    let (Some(done), Some(beacon)) = (done, beacon) else { return false };
    let health = &beacon.health;
    // A stopped node is well when it is down.
    let well = match sight.plan().leaves_down() {
        true => !health.running,
        false => health.running && health.height.is_some() && !health.paused,
    };
    well && row.listed && beacon.at.duration_since(done) >= millis(wave.soak_ms)
}

/// The wave and the place in it of `node`; none when it is not in the order.
pub fn place(sight: &Sight<'_>, node: &NodeName) -> Option<(usize, usize)> {
    let waves = sight.plan().waves.iter().enumerate();
    waves
        .flat_map(|(w, wave)| wave.nodes.iter().enumerate().map(move |(p, name)| (w, p, name)))
        .find(|(_, _, name)| *name == node)
        .map(|(wave, place, _)| (wave, place))
}
