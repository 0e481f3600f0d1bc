//! The few series of the node's Prometheus page that matter here. Pure.

/// What a page of metrics says. A series that is absent is `None`: the heartbeat is, for the
/// first 10 s after a start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Height that consensus works on: the tip and one.
    pub consensus_height: Option<u64>,
    /// 0 when well, rising when stalled or behind.
    pub round: Option<u64>,
    /// Connected peers, refreshed every 10 s.
    pub peers: Option<u32>,
}

const HEIGHT: &str = "iotex_consensus_height ";
const ROUND: &str = "iotex_consensus_round ";
const HEARTBEAT: &str = "iotex_heartbeat_status{";

impl Metrics {
    /// Reads a page; lines that are not understood are passed over.
    pub fn read(page: &str) -> Self {
        let mut metrics = Self::default();
        for line in page.lines().filter(|line| line.starts_with("iotex_")) {
            if let Some(value) = line.strip_prefix(HEIGHT) {
                metrics.consensus_height = whole(value);
            } else if let Some(value) = line.strip_prefix(ROUND) {
                metrics.round = whole(value);
            } else if let Some(series) = line.strip_prefix(HEARTBEAT)
                && let Some((labels, value)) = series.rsplit_once('}')
                && labels.contains("source=\"node\"")
                && labels.contains("status_type=\"numConnectedPeers\"")
            {
                metrics.peers = whole(value).and_then(|peers| peers.try_into().ok());
            }
        }
        metrics
    }
}

/// Prometheus writes large whole numbers as `3.6884102e+07`.
fn whole(text: &str) -> Option<u64> {
    let value: f64 = text.trim().parse().ok()?;
    // Above 2^53 a float is no longer exact; no height is near.
    (0.0..9.0e15).contains(&value).then_some(value as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_producing_node_is_at_rest_and_has_peers() {
        let page = include_str!("../../testdata/metrics-healthy-producing-v2.4.4.txt");
        let expected = Metrics { consensus_height: Some(39), round: Some(0), peers: Some(3) };
        assert_eq!(Metrics::read(page), expected);
    }

    #[test]
    fn a_fresh_node_has_no_heartbeat_yet() {
        let page = include_str!("../../testdata/metrics-freshly-started-v2.4.4.txt");
        assert_eq!(Metrics::read(page).peers, None);
    }

    #[test]
    fn a_stalled_node_is_in_a_late_round() {
        let page = include_str!("../../testdata/metrics-stalled-v2.4.4.txt");
        assert!(Metrics::read(page).round.is_some_and(|round| round > 2));
    }

    #[test]
    fn large_heights_are_read_whole() {
        let page = "iotex_consensus_height 3.6884102e+07\niotex_consensus_round NaN\n";
        let metrics = Metrics::read(page);
        assert_eq!((metrics.consensus_height, metrics.round), (Some(36_884_102), None));
    }
}
