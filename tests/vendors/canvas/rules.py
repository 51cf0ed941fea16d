"""The rules of the vendor's own programs, one by one: what becomes of each here, and the case or test that shows it.

Belongs here: the list alone. Sections are those of the behaviour that the README's table goes by; a case is named by its name in a
table ``CASES``, a test by the module and its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

How = Literal["done", "switch", "otherwise", "skipped"]


@dataclass(frozen=True)
class Rule:
    """One rule. ``how``: done as it is; a district's switch; otherwise, where it is a trap; skipped, and the README says why."""

    section: str
    text: str
    how: How
    shown_by: tuple[str, ...]


def done(section: str, text: str, *shown_by: str) -> Rule:
    """Return a rule that holds here, too."""
    return Rule(section, text, "done", shown_by)


def switch(section: str, text: str, *shown_by: str) -> Rule:
    """Return a rule that a district chooses, by an option or a gate."""
    return Rule(section, text, "switch", shown_by)


def otherwise(section: str, text: str, *shown_by: str) -> Rule:
    """Return a rule that is a trap, and what holds here instead."""
    return Rule(section, text, "otherwise", shown_by)


def skipped(section: str, text: str) -> Rule:
    """Return a rule that the roster has no place for; `text` stands in the README."""
    return Rule(section, text, "skipped", ())


JUDGED, KINDS, ROAD, ARRIVED = (
    "test_judged_rows",
    "test_kinds_of_file",
    "pipeline.steps.test_apply_changes",
    "pipeline.uploads.test_classify",
)

RULES = (
    # 1. Upload, archives, kinds of file
    done("1", "one CSV, or one zip", f"{ARRIVED}.test_one_csv_is_an_upload"),
    otherwise(
        "1",
        "a zip's members at any depth; litter is ignored, nested zips and other files are told",
        f"{ARRIVED}.test_a_zip_is_all_its_members_and_inner_archives_are_told",
    ),
    otherwise(
        "1",
        "an upload of another type is refused, not taken for empty",
        f"{ARRIVED}.test_an_upload_without_a_usable_file_is_rejected",
    ),
    done(
        "1",
        "unsafe members and limits",
        "store.landing.test_zip_upload.test_a_member_that_would_leave_the_zip_refuses_it",
        "store.landing.test_zip_upload.test_a_zip_beyond_the_limits_is_not_unpacked",
    ),
    done(
        "1",
        "headers alone tell the kind",
        f"{KINDS}.test_a_kind_is_known_by_as_few_headers_as_the_vendors_programs_need",
        f"{ARRIVED}.test_names_of_files_do_not_matter",
    ),
    otherwise(
        "1",
        "headers of two kinds refuse the file, where the first match would win",
        f"{KINDS}.test_columns_of_two_kinds_are_seen_as_both",
    ),
    done(
        "1",
        "kinds load in their order",
        "kinds load in their order, whatever the order in the upload",
        f"{KINDS}.test_kinds_load_in_the_order_of_the_vendors_programs",
    ),
    done("1", "headers of no kind fail that file, others go on", f"{ARRIVED}.test_a_file_that_cannot_be_used_is_refused_alone"),
    done("1", "several files of a kind load", "several files of a kind load, the later one last"),
    done("1", "unknown columns are ignored", f"{JUDGED}.test_unknown_columns_are_told_and_not_read"),
    switch("1", "a missing required column refuses the file", f"{JUDGED}.test_a_missing_required_column_refuses_the_file"),
    # 2. Parsing
    done("2", "rows of empty cells are skipped silently", f"{JUDGED}.test_rows_of_empty_cells_are_skipped_silently"),
    done(
        "2",
        "one wrong byte, or broken quoting on the last line, refuses the file",
        f"{ARRIVED}.test_a_file_that_cannot_be_used_is_refused_alone",
    ),
    switch(
        "2", "a declared legacy encoding", "engine.csv.test_reader.test_a_declared_legacy_encoding_is_read_with_an_info_finding"
    ),
    otherwise(
        "2",
        "headers are trimmed wherever they are read",
        f"{KINDS}.test_case_order_white_space_and_nameless_columns_make_no_difference",
    ),
    done("2", "ids are opaque", f"{JUDGED}.test_ids_are_opaque"),
    done("2", "NUL refuses a row", f"{JUDGED}.test_a_row_with_a_nul_is_refused_whatever_the_column"),
    otherwise(
        "2",
        "dates are ISO, and one that cannot be read is a warning",
        f"{JUDGED}.test_a_bad_date_is_doubtful_and_the_row_applies_without_it",
        f"{JUDGED}.test_the_dates_of_the_document_are_dates",
    ),
    done(
        "2",
        "repeated rows apply in order, the last wins",
        "the same row twice is one enrollment, without a word",
        f"{JUDGED}.test_rows_about_one_record_all_apply_in_their_order",
    ),
    otherwise(
        "2",
        "rows keep their order, also beyond 50",
        "engine.changes.test_order.test_one_upload_of_many_rows_is_many_uploads_of_one_row",
    ),
    # 3. Statuses
    otherwise(
        "3",
        "the whole word counts, whatever its case",
        f"{JUDGED}.test_a_status_counts_whatever_its_case_and_the_space_around_it",
        f"{JUDGED}.test_a_status_that_is_none_refuses_the_row",
    ),
    done(
        "3",
        "a blank status refuses the row, but for a known account",
        f"{JUDGED}.test_a_status_is_needed_in_deletes_as_in_all_rows",
        f"{JUDGED}.test_an_account_may_leave_its_status_as_it_is",
    ),
    otherwise("3", "groups: Deleted ends one", "closed and completed groups are available; deleted ends one, in any case"),
    done(
        "3",
        "deletes of what was never seen are no error",
        "deleting a user who was never seen is no error, and makes nobody",
        "deleting an enrollment that was never there is no error",
        "deleting a section that was never seen is no error",
        "a deleted group takes its memberships along, and deleting one that never was is no error",
        "memberships come and go, again and again; a delete of one that never was is no error",
    ),
    # 4. Errors
    done(
        "4",
        "a row's problem leaves the others, a file's problem the other files",
        f"{ARRIVED}.test_a_file_that_cannot_be_used_is_refused_alone",
        "a parent must stand in an earlier row, and what follows from a refused row says so",
    ),
    switch(
        "4",
        "all or nothing: refused_rows_pct and refused_rows_min hold an upload with refused rows",
        f"{ROAD}.test_an_upload_most_of_whose_rows_the_roster_refuses_is_held_and_tries_nothing_again",
    ),
    done(
        "4",
        "applied with a doubt is not refused",
        "a term that is not there leaves the term as it is, with a warning",
        f"{JUDGED}.test_a_bad_e_mail_address_is_doubtful_and_the_user_is_taken_without_it",
    ),
    done("4", "the whole report, without passwords", f"{ARRIVED}.test_no_password_rests_anywhere"),
    # 5.1 accounts
    done("5.1", "required: id; of a new one name and status", "a new account needs a name and a status"),
    done(
        "5.1",
        "parents come first",
        "a parent must stand in an earlier row, and what follows from a refused row says so",
        "a deleted parent refuses the row",
    ),
    switch(
        "5.1",
        "a blank parent is the root, of a known account with a warning",
        "a blank parent moves a known account to the root, with a warning",
    ),
    done("5.1", "blank name and status keep", "blank name and status leave a known account as it is"),
    done("5.1", "loops", "a loop is refused, however long, and so is an account that is its own parent"),
    done("5.1", "no end while sub-accounts or courses live", "an account with live sub-accounts or courses is not deleted"),
    otherwise(
        "5.1", "an absent integration_id keeps, a blank one clears", "an absent integration_id leaves it, a blank one clears it"
    ),
    done("5.1", "sticky: name, parent", "an account's name and parent stay"),
    # 5.2 terms
    otherwise(
        "5.2",
        "blank dates clear, absent columns keep",
        "blank dates clear, absent columns keep",
        "a date that cannot be read is cleared, the other one is kept",
    ),
    done("5.2", "a term needs its name", "a term needs its name, unless it goes; one that comes back has what it had"),
    done("5.2", "no end while courses use it", "a term that live courses use is not deleted"),
    done(
        "5.2",
        "dates by type of enrollment",
        "a row with an enrollment type sets that type's dates and nothing else",
        f"{JUDGED}.test_a_word_that_changes_what_a_row_means_refuses_it_when_it_is_none",
    ),
    done("5.2", "sticky: name, dates as a pair", "dates are frozen as a pair", "a term's name and dates stay"),
    # 5.3 users
    skipped("5.3", "a login without an id of its own is adopted"),
    done("5.3", "a login that another one holds", "a login that another user holds refuses the row, whatever its case"),
    switch(
        "5.3", "or is claimed", "with update_sis_id_if_login_claimed, the holder of the login gets the new user's id, everywhere"
    ),
    done(
        "5.3",
        "hand-over works if the holder comes first",
        "a login changes hands when its holder's row comes first",
        "and is refused when the new holder's row comes first",
    ),
    done(
        "5.3",
        "integration ids are unique, not for deletes, never erased",
        "an integration id that another user has refuses the row, but never a delete",
        "a blank integration id never erases one",
    ),
    done(
        "5.3",
        "names",
        "a name is the whole name; else first and last; else sortable, short, login",
        "a known user without names in the row keeps them",
        "a suffix stays behind the given names, and the surname as it was before",
    ),
    done(
        "5.3",
        "e-mails",
        "a blank e-mail keeps the known one, and several users may share one",
        f"{JUDGED}.test_a_bad_e_mail_address_is_doubtful_and_the_user_is_taken_without_it",
    ),
    done("5.3", "declared type and pronouns", "pronouns and declared type: blank keeps, <delete> removes"),
    done("5.3", "passwords are dropped", f"{JUDGED}.test_password_columns_are_in_no_frame_and_no_quarantine"),
    skipped("5.3", "logins of one name with several authentication providers"),
    done("5.3", "long logins, control characters", f"{JUDGED}.test_a_login_has_at_most_100_characters_and_no_control_characters"),
    done(
        "5.3",
        "deleted: with the last login, all that the person took part in goes",
        "a user who is deleted takes enrollments, memberships, roles and observers' enrollments along",
        "a person with another live login stays when the own login is deleted, and goes with the last one",
    ),
    done("5.3", "suspended: nothing else", "suspending changes nothing else"),
    done("5.3", "enrollments do not come back", "enrollments do not come back with the user"),
    done("5.3", "deleted twice", "deleting a deleted user changes nothing"),
    done(
        "5.3",
        "sticky: login, names, pronouns, status",
        "an edited login stays, and the row's login may be another's",
        "pronouns and short name stay, the end of the user does not wait for them",
        "an edited status keeps a user and a course from being deleted",
        "an edited column stays, the others change; a name to sort by is made from the name that is shown",
    ),
    # 5.4 courses
    done("5.4", "format and passback words", f"{JUDGED}.test_a_word_that_changes_what_a_row_means_refuses_it_when_it_is_none"),
    done(
        "5.4",
        "accounts",
        "a course has the account and the term that it names, the root and the default term otherwise",
        "an unknown account refuses the row, unless a fallback is there",
        "nothing moves to a deleted account",
        "a course whose own account is deleted cannot come back",
    ),
    otherwise(
        "5.4",
        "a term that is not there is ignored, with a warning",
        "a term that is not there leaves the term as it is, with a warning",
    ),
    switch(
        "5.4",
        "dates: absent keeps, blank and <delete> clear",
        "dates: absent keeps, blank and <delete> clear",
        "an absent date column keeps the date",
    ),
    done("5.4", "states", "completed and active again; unpublished and published are active"),
    done("5.4", "deleted takes enrollments", "a deleted course takes its enrollments along, and comes back without them"),
    done("5.4", "homeroom keeps", "homeroom and blueprint: blank keeps, dissociate removes the link"),
    switch(
        "5.4",
        "courses that cross-listing made mirror their template",
        "a course that cross-listing made follows the section's course, where the district wants it: yes",
        "a course that cross-listing made follows the section's course, where the district wants it: no",
    ),
    done(
        "5.4",
        "sticky",
        "a course's account, term and names stay",
        "an edited status keeps a user and a course from being deleted",
        "a course's dates stay, as a pair",
    ),
    skipped("5.4", "grade passback, friendly names, templates, paces"),
    # 5.5 sections
    done(
        "5.5",
        "needs its course, a deleted one will do",
        "a section needs its course, and what follows from a refused course says so",
        "a section of a deleted course is taken, with a warning",
    ),
    done(
        "5.5",
        "a delete needs no name, and takes enrollments",
        "an active section needs its name; a delete needs none, and takes the enrollments along",
    ),
    done("5.5", "another course moves it", "another course moves the section with its enrollments"),
    otherwise("5.5", "blank dates clear, absent keep", "a blank date clears", "dates: blank clears, absent keeps"),
    done(
        "5.5",
        "sticky: course, name, dates",
        "a section's name and dates stay, dates as a pair",
        "a section whose course was edited by hand does not move, nor does cross-listing move it",
    ),
    # 5.6 cross-listing
    done("5.6", "an unknown section", "an unknown section is refused, a deleted one too"),
    done(
        "5.6",
        "an unknown course is made, a deleted one revived",
        "an unknown course is made like the section's course",
        "a deleted course is revived",
    ),
    done(
        "5.6",
        "first home through all moves",
        "the first home is kept through any number of moves, and cross-listing twice is once",
    ),
    done("5.6", "undoing", "undoing where the section is not does nothing, undoing with a course that never was sends it home"),
    done(
        "5.6",
        "rows of sections afterwards",
        "a row of sections that names home keeps the cross-listing",
        "one that names another course ends it",
        "one that names home while the other course is deleted brings the section home",
    ),
    done(
        "5.6",
        "enrollments land where the section is",
        "enrollments that name home and section land where the section is",
        "naming only home finds the section that left it, where there is no default section",
    ),
    # 5.7 enrollments
    done(
        "5.7",
        "which ids",
        "a section tells the course; a course alone means its default section",
        "the integration id wins over the user id",
        "each id that is given must exist, even if the other would do",
    ),
    done("5.7", "order of the checks", "the first check that fails is reported: user, section and course, role, associated user"),
    otherwise(
        "5.7",
        "whole words for roles",
        "built-in roles in any case, whole words, and by their type names",
        "custom roles by exact name; a role id wins over a role",
    ),
    done("5.7", "identity", "another section or role adds an enrollment, and moves none"),
    done("5.7", "associated users", "an associated user counts for observers alone, and is not carried over"),
    done("5.7", "deleted_last_completed", "deleted_last_completed: deleted while there is another, completed if it is the last"),
    done(
        "5.7",
        "deleted users and logins",
        "a deleted user is not enrolled; deleting the enrollment of one is no error",
        "through a deleted login of somebody who has another one: enrolled, with a word about it",
    ),
    done("5.7", "deleted sections", "nobody is enrolled in a deleted section"),
    otherwise("5.7", "the last row wins, deletes too", "the last row wins, deleted then active too"),
    otherwise(
        "5.7", "dates as a pair; absent keeps", "dates count as a pair", "absent date columns keep the dates", "blank dates clear"
    ),
    done("5.7", "limit_section_privileges keeps", "a blank limit_section_privileges keeps what is known"),
    done(
        "5.7",
        "the last enrollment in a course takes memberships along",
        "the last enrollment in a course takes the user out of the course's groups",
    ),
    skipped("5.7", "notify, temporary enrollments, other root accounts, blueprint courses that refuse students"),
    # 5.8 logins
    done("5.8", "added to the one whom all ids name", "a login is added to the person who is named, by either id"),
    done("5.8", "no updates", "an id or a login that is in use refuses the row: there are no updates"),
    done("5.8", "removed by users", "a login is removed by a row of users, and the person stays"),
    # 5.9 observers
    done(
        "5.9",
        "both live and different",
        "both must be there and differ, as persons too, and a link that is not there cannot end",
        "a deleted user is not linked",
    ),
    switch(
        "5.9",
        "enrollments that follow, marked as such",
        "a link enrolls the observer beside each of the student's enrollments",
        "a district may keep links alone, without the enrollments that follow",
    ),
    done(
        "5.9",
        "they follow later ones, and ends",
        "later enrollments of the student enroll the observer, and their end ends the observer's",
        "a row ends an observer's enrollment that follows from a link; it stays away while the student's goes on",
        "and comes back with the link's next row, or with the student's next enrollment there",
    ),
    done("5.9", "the end of a link", "the end of a link takes the observer's enrollments away"),
    # 5.10 admins
    done(
        "5.10",
        "user, account, role",
        "user, account and role must be known",
        "a role in an account, or in the root if it is blank; several of one user stand side by side",
    ),
    done("5.10", "deletes of others are silent", "deleting a role ends that one; deleting one that is not there is silent"),
    # 5.11 change_sis_id
    done(
        "5.11",
        "first of all",
        "renames come first: the rest of the upload uses the new ids, and may use the old one for somebody else",
    ),
    done(
        "5.11",
        "all types",
        "accounts, terms, sections, groups and sets of groups",
        "a user's new id goes everywhere, and the history says why",
    ),
    done(
        "5.11",
        "new id in use, old one unknown",
        "a new id in use refuses the row, one of a deleted record too",
        "an old id that is not there, and two old ids that disagree",
        "the new id of a deleted user is in use, the old one is not",
    ),
    done("5.11", "<delete>", "integration ids change, move and go; sets of groups have none"),
    done("5.11", "chains and swaps", "a chain and a swap through a third id"),
    done(
        "5.11",
        "history and edits stay with the record",
        "a deleted user who is renamed keeps the name, and comes back with it; the old id is free",
        "rows that wait in the quarantine follow their records' new ids",
        "test_behaviour_sticky.test_an_edit_follows_a_record_whose_id_changes",
    ),
    # 5.12 groups
    done(
        "5.12",
        "sets: context, names, moves",
        "a set belongs to an account, to a course, or to the root; never to two",
        "a set's name is unique where it is, among live ones; the same id again updates",
        "a set moves to another context only without live groups",
    ),
    done(
        "5.12",
        "groups: context and set",
        "a group is where the row says, or where its set is, or where it was",
        "a set of another context, an unknown one, and two contexts are refused",
    ),
    done("5.12", "groups: name and status even in deletes", f"{JUDGED}.test_groups_and_their_sets_have_a_name_in_every_row"),
    done("5.12", "a group with members stays in its course", "a group with members does not move from or to a course"),
    done(
        "5.12",
        "deleted takes memberships",
        "a deleted group takes its memberships along, and deleting one that never was is no error",
    ),
    done(
        "5.12",
        "members are enrolled",
        "a membership needs its group and its user, and of a course's group the enrollment",
        "who leaves the course leaves its groups: the section is cross-listed",
        "who leaves the course leaves its groups: the course ends; its groups stay, to come back with it",
    ),
    done("5.12", "sticky: name", "names of groups and of their sets stay"),
    # 5.13
    done(
        "5.13", "kinds that are told and left alone", f"{ARRIVED}.test_a_kind_that_is_not_supported_is_told_and_the_others_load"
    ),
    # 6. Modes
    switch("6.1", "skip_deletes", "skip_deletes leaves out rows whose status contains deleted"),
    switch(
        "6.2",
        "what is not named goes",
        "what the upload does not name goes: of the term, and of the kinds that were uploaded",
        "users, accounts and terms are never removed",
        "admins, groups and memberships are never removed",
    ),
    done("6.2", "a header alone is supplied", "a header alone counts as uploaded: everything of its kind in the term goes"),
    done(
        "6.2",
        "no term, no removals",
        "without a term, or with one that is not there, nothing is removed",
        "multi-term without terms removes nothing",
    ),
    done("6.2", "which term", "an enrollment belongs to the term of its course now, a section to that of its home"),
    switch(
        "6.2", "drop status", "drop status completed concludes active ones and leaves the others alone", "drop status inactive"
    ),
    switch(
        "6.2",
        "change_threshold",
        "more than change_threshold of a kind calls all removals off; the rows stay applied",
        "exactly change_threshold is not more",
    ),
    otherwise("6.2", "a refused file stops removals", "nothing is removed if a file of the upload was refused"),
    otherwise(
        "6.2",
        "refused and skipped rows protect their records",
        "a record that a refused row names is named",
        "so is one whose row skip_deletes leaves out; removals are not restrained by it",
    ),
    done("6.2", "options exclude each other", f"{ARRIVED}.test_contradicting_options_open_no_import"),
    done("6.3", "base", "test_behaviour_diffing.test_the_base_is_the_newest_diffed_upload_else_the_first_published"),
    done("6.3", "a kind in one upload only", "what a later file leaves out is dropped; a file that is left out removes nothing"),
    done("6.3", "several files", "several files are paired by name", "and read whole if they cannot be"),
    done("6.3", "other columns", "other columns than last time: read whole, with a warning"),
    switch("6.3", "drop statuses", "dropped enrollments become completed", "dropped users are deleted, or suspended"),
    done("6.3", "a changed role is two", "a changed role is an enrollment that goes and one that comes"),
    switch(
        "6.3",
        "thresholds",
        "a file whose size differs too much is read whole, and is no base",
        "more rows than diff_row_count_threshold: read whole",
        "test_behaviour_diffing.test_five_uploads_in_a_row_that_differ_too_much_need_a_fresh_start",
    ),
    switch("6.3", "remaster", "a fresh start applies the file whole, removes nothing, and is compared with later"),
    done("6.3", "unchanged rows are not applied", "unchanged rows are not applied again: what changed outside stays"),
    otherwise("6.3", "refused rows are tried again", "a row that was refused last time is tried again although it is unchanged"),
    otherwise(
        "6.3",
        "a header alone drops nothing",
        "a header alone drops nothing",
        "and later uploads are compared with the one before it",
    ),
    switch(
        "6.4", "edits win", "an edited column stays, the others change; a name to sort by is made from the name that is shown"
    ),
    switch(
        "6.4",
        "override, add, clear",
        "test_behaviour_sticky.test_override_publishes_the_upload_and_keeps_the_edit",
        "test_behaviour_sticky.test_with_add_what_the_upload_changes_is_kept_like_an_edit",
        "test_behaviour_sticky.test_with_clear_the_edits_of_what_the_upload_sets_end",
        "test_behaviour_sticky.test_add_and_clear_count_only_together_with_override",
    ),
    done(
        "6.4",
        "batch mode ends the edit of a course's status",
        "test_behaviour_sticky.test_a_course_that_batch_mode_removes_loses_the_edit_of_its_status",
    ),
    otherwise(
        "6.5",
        "an import is undone from the history, values and renames included",
        "pipeline.review.test_undo.test_an_approved_undo_brings_the_state_before_back_and_keeps_the_history",
    ),
    # 7. Newer documents
    done(
        "7", "newer columns and kinds", f"{KINDS}.test_the_columns_of_every_kind_are_those_of_the_document_and_known_newer_ones"
    ),
    # 8. What to do differently
    done(
        "8.1",
        "exact statuses, ISO dates, strict quoting, two kinds",
        f"{JUDGED}.test_a_status_that_is_none_refuses_the_row",
        f"{ARRIVED}.test_a_file_that_cannot_be_used_is_refused_alone",
    ),
    done(
        "8.2",
        "absent columns leave values untouched",
        f"{ROAD}.test_an_absent_column_leaves_values_alone_also_beside_a_file_that_has_it",
    ),
    done("8.3", "strict order", "deleted and active in one upload: the user stays, the enrollments do not"),
    done(
        "8.4",
        "a threshold is always on",
        "test_behaviour_batch_mode.test_without_change_threshold_exactly_ten_percent_are_published_and_more_are_held",
    ),
    done(
        "8.5",
        "open rejects are tried again",
        "a row that did not fit is tried again in each import, and released when it fits",
        "one that still does not fit yields no new finding",
        "it leaves the quarantine as soon as a later row with its key is read",
    ),
    done(
        "8.6",
        "keys for comparing",
        "links are told by observer and student, terms by their enrollment type too, admins by role too",
    ),
    done(
        "8.7",
        "what follows has its cause",
        "the enrollments of a deleted course close as its consequence",
        "a link enrolls the observer beside each of the student's enrollments",
    ),
    done("8.8", "no passwords, in quarantine neither", f"{JUDGED}.test_password_columns_are_in_no_frame_and_no_quarantine"),
    done(
        "8.9",
        "logins are unique whatever their case, e-mails are not",
        "a login that another user holds refuses the row, whatever its case",
        "a blank e-mail keeps the known one, and several users may share one",
    ),
)
