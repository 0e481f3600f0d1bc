//! What the controller shows to whom, and what is made of it.

use muster_proto::rule::Evidence;

use super::world::World;

/// What a node does with what it was shown before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// Nothing: counters only grow.
    Careful,
    /// It takes it for news. No agent is so; the properties must catch it.
    Gullible,
}

impl World<'_> {
    /// Whose book tells another story than the world's own account, and about whom.
    pub fn misread(&self) -> Option<(usize, usize)> {
        let books = self.books.as_ref()?;
        let nodes = self.nodes.len();
        let mut pairs = (0..nodes).flat_map(|to| (0..nodes).map(move |of| (to, of)));
        pairs.find(|(to, of)| {
            let (viewer, name) = (&self.nodes[*to], &self.nodes[*of].name);
            let told = viewer.evidence.nodes.get(name);
            self.believes(*to, *of) && !books.agrees(*to, name, told)
        })
    }

    pub(super) fn show(&mut self, to: usize, of: usize, receipts: u8, beacons: u8) {
        if to == of || !self.believes(to, of) {
            return;
        }
        let (seen_receipts, seen_beacons) = self.nodes[to].shown[of];
        let source = &self.nodes[of];
        // Receipts come in order, of the beacons any newer one may come.
        let upto =
            |seen: usize, all: usize, share: u8| seen + (all - seen) * usize::from(share % 5) / 4;
        let receipts_to = upto(seen_receipts, source.receipts.len(), receipts);
        let beacons_to = upto(seen_beacons, source.beacons.len(), beacons);
        let new = source.receipts[seen_receipts..receipts_to].to_vec();
        let beacon = (beacons_to > seen_beacons).then(|| source.beacons[beacons_to - 1].clone());
        let (name, viewer) = (source.name.clone(), &mut self.nodes[to]);
        let facts = viewer.evidence.nodes.entry(name).or_default();
        new.iter().for_each(|receipt| facts.fold(receipt, true));
        if let Some(beacon) = beacon {
            facts.take(beacon);
        }
        viewer.shown[of] = (receipts_to, beacons_to);
        if let Some(books) = &mut self.books {
            (seen_receipts..receipts_to).for_each(|which| books.show_receipt(to, of, which));
            if beacons_to > seen_beacons {
                books.show_beacon(to, of, beacons_to - 1);
            }
        }
    }

    /// Old things again. Of receipts also such as come too early, and never the next one: that
    /// would be news.
    pub(super) fn replay(&mut self, to: usize, of: usize, receipt: u8, beacon: u8) {
        if to == of || !self.believes(to, of) {
            return;
        }
        let (seen_receipts, seen_beacons) = self.nodes[to].shown[of];
        let pick = |number: u8, all: usize| usize::from(number).checked_rem(all);
        let receipt = pick(receipt, self.nodes[of].receipts.len());
        let receipt = receipt.filter(|which| *which != seen_receipts);
        let beacon = pick(beacon, seen_beacons);
        if let Some(books) = &mut self.books {
            receipt.into_iter().for_each(|which| books.show_receipt(to, of, which));
            beacon.into_iter().for_each(|which| books.show_beacon(to, of, which));
        }
        if self.reader == Reader::Gullible {
            let source = &self.nodes[of];
            let receipt = receipt.filter(|which| *which < seen_receipts);
            let receipt = receipt.map(|which| source.receipts[which].clone());
            let beacon = beacon.map(|which| source.beacons[which].clone());
            let name = source.name.clone();
            let facts = self.nodes[to].evidence.nodes.entry(name).or_default();
            receipt.into_iter().for_each(|receipt| facts.fold(&receipt, true));
            beacon.into_iter().for_each(|beacon| facts.take(beacon));
        }
    }

    /// The viewer's roster lists the node with the key that it signs with.
    pub(super) fn believes(&self, viewer: usize, of: usize) -> bool {
        let roster = &self.scene.rosters[self.nodes[viewer].roster];
        let first = self.scene.rosters[0].node(&self.nodes[of].name).and_then(|node| node.key);
        roster.node(&self.nodes[of].name).is_some_and(|node| node.key == first)
    }

    pub(super) fn show_all(&mut self, to: usize) {
        for of in 0..self.nodes.len() {
            self.show(to, of, 4, 4);
        }
    }

    pub(super) fn crash(&mut self, node: usize) {
        let crashed = &mut self.nodes[node];
        crashed.shown.fill((0, 0));
        let own = crashed.evidence.nodes.remove(&crashed.name);
        crashed.evidence = Evidence::default();
        crashed.evidence.nodes.extend(own.map(|facts| (crashed.name.clone(), facts)));
        if let Some(books) = &mut self.books {
            books.crash(self.scene, node);
        }
    }

    pub(super) fn newer_roster(&mut self, node: usize) {
        self.nodes[node].roster = 1;
        for of in 0..self.nodes.len() {
            if of != node && !self.believes(node, of) {
                let name = self.nodes[of].name.clone();
                self.nodes[node].evidence.nodes.remove(&name);
            }
        }
        if let Some(books) = &mut self.books {
            books.newer_roster(self.scene, node);
        }
    }
}
