//! What must hold in every layout.

mod abort;
mod archive;
mod command;
mod crash;
mod exit;
mod pause;
mod question;
mod replay;
mod retry;
mod step;
mod timer;

/// Every case, once for each layout.
macro_rules! suite {
    ($($module:ident::$case:ident),* $(,)?) => {
        suite!(one One $($module $case)*);
        suite!(split Split $($module $case)*);
    };
    ($layout:ident $variant:ident $($module:ident $case:ident)*) => {
        mod $layout {
            use crate::stage7::Layout;
            $(
                #[test]
                fn $case() {
                    super::$module::$case(Layout::$variant);
                }
            )*
        }
    };
}

suite! {
    step::independent_steps_overlap,
    step::a_step_gets_its_sources_exact_bytes,
    step::deliverables_are_what_they_are_said_to_be,
    step::tasks_that_are_added_side_by_side_are_all_kept,
    step::a_large_file_goes_in_and_out,
    step::a_mission_may_be_larger_than_a_message,
    pause::a_pause_lets_nothing_start_and_survives_a_restart,
    archive::an_archived_mission_is_read_as_before,
    archive::what_has_not_ended_is_not_archived,
    archive::a_retry_and_the_archive_never_tear_a_mission_in_two,
    abort::an_abort_kills_what_runs,
    question::questions_are_answered_while_other_branches_go_on,
    question::only_fitting_answers_are_taken,
    question::a_file_is_an_answer,
    question::a_form_is_filled_in_or_asked_for_again,
    retry::a_retried_mission_keeps_what_was_done,
    crash::a_mission_survives_kill_9_of_everything,
    command::every_command_of_a_mission,
    command::plugins_are_listed_shown_and_run,
    exit::codes_say_how_it_ended,
    replay::an_export_shows_the_mission_as_it_was,
    timer::what_takes_too_long_ends,
}
