//! A path with a narrow link in the middle: what is too long for it, a router says.

use std::{ffi::OsStr, process::Command};

use glasstack::host::lab::Lab;

use super::{AT_ONCE, Namespace, SETTLED, shell};

/// From the lab over a router in the middle to the far end; the lab's Linux is the first router.
///
/// Both ends are on links of 1,500 octets: neither knows of the narrow one before a router says so. That one carries 1,280, the
/// least that IPv6 allows (RFC 8200 §5).
pub(crate) struct Path {
    middle: Namespace,
    far: Namespace,
}

/// In the lab, with the middle's process.
const LAB: &str = "
    ip link add middle mtu 1280 type veth peer name lab mtu 1280 netns $1
    ip address add 192.168.71.1/24 dev middle
    ip address add fdaa:71::1/64 dev middle
    ip link set middle up
    ip route add 192.168.72.0/24 via 192.168.71.2
    ip route add fdaa:72::/64 via fdaa:71::2
";

/// In the middle, with the far end's process.
const MIDDLE: &str = "
    ip link add far type veth peer name middle netns $1
    ip address add 192.168.71.2/24 dev lab
    ip address add fdaa:71::2/64 dev lab
    ip address add 192.168.72.1/24 dev far
    ip address add fdaa:72::1/64 dev far
    ip link set lab up
    ip link set far up
    ip route add default via 192.168.71.1
    ip -6 route add default via fdaa:71::1
";

/// At the far end.
const FAR: &str = "
    ip link set lo up
    ip address add 192.168.72.2/24 dev middle
    ip address add fdaa:72::2/64 dev middle
    ip link set middle up
    ip route add default via 192.168.72.1
    ip -6 route add default via fdaa:72::1
";

/// In a router, which also says what it cannot forward as often as it is asked to.
const FORWARD: &str = "
    echo 1 > /proc/sys/net/ipv4/ip_forward
    echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
    echo 0 > /proc/sys/net/ipv4/icmp_ratelimit
    echo 0 > /proc/sys/net/ipv6/icmp/ratelimit
";

impl Path {
    pub(crate) fn new(lab: &Lab) -> Path {
        let (middle, far) = (Namespace::new(), Namespace::new());
        let [middle_id, far_id] = [&middle, &far].map(|namespace| namespace.id().to_string());
        let everywhere = |script: &str| {
            shell(lab.command(&["sh"]), script, &[]);
            shell(middle.command(&["sh"]), script, &[]);
            shell(far.command(&["sh"]), script, &[]);
        };
        everywhere(AT_ONCE);
        let router = |script| [script, FORWARD].concat();
        shell(lab.command(&["sh"]), &router(LAB), &[&middle_id]);
        shell(middle.command(&["sh"]), &router(MIDDLE), &[&far_id]);
        shell(far.command(&["sh"]), FAR, &[]);
        everywhere(SETTLED);
        Path { middle, far }
    }

    /// A program with its arguments, to be run in the middle.
    pub(crate) fn in_the_middle<S: AsRef<OsStr>>(&self, command: &[S]) -> Command {
        self.middle.command(command)
    }

    /// A program with its arguments, to be run at the far end.
    pub(crate) fn at_the_far_end<S: AsRef<OsStr>>(&self, command: &[S]) -> Command {
        self.far.command(command)
    }
}
