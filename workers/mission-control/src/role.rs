//! The roles that ship with stage7.

use schemas::catalogue::Role;
use std::{collections::BTreeMap, sync::LazyLock};

/// All of them, by name.
pub static ROLES: LazyLock<BTreeMap<String, Role>> = LazyLock::new(|| {
    toml::from_str(include_str!("roles.toml")).expect("the shipped roles are valid: a test reads them")
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_roles_ship_each_with_all_that_a_role_has() {
        assert_eq!(
            ROLES.keys().map(String::as_str).collect::<Vec<_>>(),
            [
                "analyst",
                "coder",
                "coordinator",
                "creative",
                "critic",
                "domain_expert",
                "executor",
                "product_manager",
                "researcher"
            ]
        );
        for (name, role) in ROLES.iter() {
            let texts = role.responsibilities.iter().chain([&role.description, &role.prompt]);
            assert!(texts.clone().count() > 2 && texts.into_iter().all(|text| !text.trim().is_empty()), "{name}");
            assert!(!role.verbs.is_empty(), "{name}");
        }
    }
}
