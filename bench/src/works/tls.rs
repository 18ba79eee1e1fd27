//! Reconnect storms: a new TLS connection for every GET.

use super::{Work, by};
use crate::contender::Contender::{self, Concierge, RustlsHyper};
use crate::judge::Bound::{self, AtMost};
use crate::judge::Comparison;
use crate::judge::Figure::{ConnectionsPerSecond, CpuPerConnectionUs};
use crate::load::Load;

const CONTENDERS: &[Contender] = &[Concierge, RustlsHyper];
const COMPARISONS: &[Comparison] = &[
    by(CpuPerConnectionUs, RustlsHyper, AtMost(1.15)),
    by(ConnectionsPerSecond, RustlsHyper, Bound::None),
];

pub(super) const WORKS: &[Work] = &[
    Work {
        name: "tls-full",
        title: "new TLS connection + GET, full handshake",
        load: Load::Storm { resumed: false },
        contenders: CONTENDERS,
        comparisons: COMPARISONS,
    },
    Work {
        name: "tls-resumed",
        title: "new TLS connection + GET, session resumed",
        load: Load::Storm { resumed: true },
        contenders: CONTENDERS,
        comparisons: COMPARISONS,
    },
];
