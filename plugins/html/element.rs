//! An element as selectors see it, as long as there is time.

use html5ever::Namespace;
use scraper::{
    ElementRef,
    selector::{CssLocalName, CssString, NonTSPseudoClass, PseudoElement, Simple},
};
use selectors::{
    OpaqueElement,
    attr::{AttrSelectorOperation, CaseSensitivity, NamespaceConstraint},
    bloom::BloomFilter,
    matching::{ElementSelectorFlags, MatchingContext},
};
use std::{cell::Cell, time::Duration};
use tokio::time::Instant;

/// Steps between two looks at the clock.
const STEPS: u32 = 256;

/// How long a search may take.
#[derive(Debug)]
pub struct Patience {
    until: Instant,
    steps: Cell<u32>,
    over: Cell<bool>,
}

impl Patience {
    pub fn new(time: Duration) -> Self {
        Self { until: Instant::now() + time, steps: Cell::new(0), over: Cell::new(false) }
    }

    /// Is it over? Whoever asks takes a step.
    pub fn is_over(&self) -> bool {
        self.steps.set(self.steps.get() % STEPS + 1);
        if self.steps.get() == STEPS && Instant::now() > self.until {
            self.over.set(true);
        }
        self.over.get()
    }
}

/// An element that has no neighbours once patience is over: so a search that has begun ends.
#[derive(Debug, Clone)]
pub struct Element<'a> {
    element: ElementRef<'a>,
    patience: &'a Patience,
}

impl<'a> Element<'a> {
    pub fn new(element: ElementRef<'a>, patience: &'a Patience) -> Self {
        Self { element, patience }
    }

    fn go(&self, to: impl FnOnce(&ElementRef<'a>) -> Option<ElementRef<'a>>) -> Option<Self> {
        match self.patience.is_over() {
            true => None,
            false => to(&self.element).map(|element| Self { element, ..*self }),
        }
    }
}

impl selectors::Element for Element<'_> {
    type Impl = Simple;

    fn parent_element(&self) -> Option<Self> {
        self.go(selectors::Element::parent_element)
    }
    fn prev_sibling_element(&self) -> Option<Self> {
        self.go(selectors::Element::prev_sibling_element)
    }
    fn next_sibling_element(&self) -> Option<Self> {
        self.go(selectors::Element::next_sibling_element)
    }
    fn first_element_child(&self) -> Option<Self> {
        self.go(selectors::Element::first_element_child)
    }

    // All else is as scraper has it.
    fn opaque(&self) -> OpaqueElement {
        self.element.opaque()
    }
    fn parent_node_is_shadow_root(&self) -> bool {
        self.element.parent_node_is_shadow_root()
    }
    fn containing_shadow_host(&self) -> Option<Self> {
        None
    }
    fn is_pseudo_element(&self) -> bool {
        self.element.is_pseudo_element()
    }
    fn is_html_element_in_html_document(&self) -> bool {
        self.element.is_html_element_in_html_document()
    }
    fn has_local_name(&self, name: &CssLocalName) -> bool {
        self.element.has_local_name(name)
    }
    fn has_namespace(&self, namespace: &Namespace) -> bool {
        self.element.has_namespace(namespace)
    }
    fn is_same_type(&self, other: &Self) -> bool {
        self.element.is_same_type(&other.element)
    }
    fn attr_matches(
        &self,
        namespace: &NamespaceConstraint<&Namespace>,
        name: &CssLocalName,
        operation: &AttrSelectorOperation<&CssString>,
    ) -> bool {
        self.element.attr_matches(namespace, name, operation)
    }
    fn match_non_ts_pseudo_class(&self, class: &NonTSPseudoClass, _: &mut MatchingContext<'_, Simple>) -> bool {
        match *class {}
    }
    fn match_pseudo_element(&self, element: &PseudoElement, _: &mut MatchingContext<'_, Simple>) -> bool {
        match *element {}
    }
    fn apply_selector_flags(&self, _: ElementSelectorFlags) {}
    fn is_link(&self) -> bool {
        self.element.is_link()
    }
    fn is_html_slot_element(&self) -> bool {
        self.element.is_html_slot_element()
    }
    fn has_id(&self, id: &CssLocalName, case: CaseSensitivity) -> bool {
        self.element.has_id(id, case)
    }
    fn has_class(&self, name: &CssLocalName, case: CaseSensitivity) -> bool {
        self.element.has_class(name, case)
    }
    fn has_custom_state(&self, name: &CssLocalName) -> bool {
        self.element.has_custom_state(name)
    }
    fn imported_part(&self, name: &CssLocalName) -> Option<CssLocalName> {
        self.element.imported_part(name)
    }
    fn is_part(&self, name: &CssLocalName) -> bool {
        self.element.is_part(name)
    }
    fn is_empty(&self) -> bool {
        self.element.is_empty()
    }
    fn is_root(&self) -> bool {
        self.element.is_root()
    }
    fn add_element_unique_hashes(&self, filter: &mut BloomFilter) -> bool {
        self.element.add_element_unique_hashes(filter)
    }
}
