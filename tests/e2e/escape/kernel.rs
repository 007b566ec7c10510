//! System calls that lead out: other processes' memory, namespaces, mounts, other users.

use super::{Attempt, all_are_refused, is_well, shared};
use serde_json::json;

/// Where all of them are allowed, and do no harm.
const CAPABLE: &[&str] = &[
    "bwrap",
    "--unshare-user",
    "--unshare-uts",
    "--unshare-net",
    "--uid",
    "0",
    "--gid",
    "0",
    "--cap-add",
    "ALL",
    "--dev-bind",
    "/",
    "/",
    "--ro-bind",
    "/usr",
    "/usr",
    "--tmpfs",
    "/tmp",
    "--bind",
];

#[test]
fn no_system_call_leads_out() {
    let stage7 = shared();
    let call = |name: &str, refused: &'static [&'static str]| Attempt::same("system", json!({"call": name}), refused);
    let missing = [
        "ptrace",
        "peek",
        "clone",
        "clone3",
        "unshare-user",
        "unshare-mount",
        "unshare-pid",
        "unshare-net",
        "setns",
        "mount",
        "remount",
        "umount",
        "chroot",
        "sethostname",
        "netlink",
        "keyring",
    ];
    let mut attempts: Vec<_> = missing.into_iter().map(|name| call(name, &["ENOSYS"])).collect();
    attempts.extend(["setuid", "setgid", "raw"].map(|name| call(name, &["EPERM", "EINVAL"])));
    let home = stage7.path("client").display().to_string();
    let before = [CAPABLE, &[&home, &home, "--"]].concat();
    all_are_refused(&stage7, "ESCAPE", &attempts, |language, given| language.outside(&stage7, &before, given));
    is_well(&stage7);
}
