"""The tables of ops.db, made and changed by migrations: each file in use carries the names of those it went through."""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

migrations = Migrations("comptoir-ops")
OLDEST_READER = "m012_find_who_helped"
"""The earliest migration whose program can work on a file that went through all of them: those after it only add.

A kiosk that steps back from a new version goes on with the same file, so that no slip is lost. A migration that takes away or
changes comes one release after the last program that needs what was there, and names itself here."""
SLIP_EVENT = "kind = 'slip_issued' and json_valid(body)"
"""The events that report a slip; one that a disk broke must not keep the others from being found."""
ACT_EVENT = "kind = 'counter_act'"
"""The events of the audit journal (`pos.journal`)."""


@migrations()
def m001_start(database: Database) -> None:
    """Make the first set of tables."""
    _run(database, SCHEMA)


@migrations()
def m002_find_the_event_of_a_slip(database: Database) -> None:
    """Index the outbox by the slip an event reports, so that each look at a slip can compare it."""
    database.execute(f"create index outbox_by_slip on outbox (body ->> '$.number') where {SLIP_EVENT}")


@migrations()
def m003_keep_the_bytes_of_prints(database: Database) -> None:
    """Let a corner have several printers, and a print job be any paper, with its bytes."""
    _run(database, PRINTS)


@migrations()
def m004_keep_the_pins_of_clerks(database: Database) -> None:
    """Keep the PINs clerks chose here, and what their manager changed of the list until HQ's says the same."""
    _run(database, CLERKS)


@migrations()
def m005_keep_what_is_told_of_demo_devices(database: Database) -> None:
    """Keep rounds and all that is noted of each demo device; the last check of each place becomes its first event."""
    # Few files are ever migrated, and what reads codes is not for every start.
    from pos.scans import derived_value  # noqa: PLC0415 - as above

    _run(database, DEMO)
    document = database.execute("select value ->> '$.corner_id' from setting where name = 'corner'").fetchone()
    corner_id = str(document[0]) if document else ""
    checks = database.execute(
        "select position, sku_id, state, clerk_id, checked_at from demo_check order by checked_at, position"
    )
    for position, sku_id, state, clerk_id, checked_at in checks.fetchall():
        demo_id = derived_value("device", corner_id, position, str(sku_id))
        kind = "seen" if state == "present" else "missing"
        database.execute(
            "insert into demo_device_event (demo_id, position, sku_id, kind, clerk_id, at) values (?, ?, ?, ?, ?, ?)",
            [demo_id, position, sku_id, kind, clerk_id, checked_at],
        )
    database.execute("drop table demo_check")


@migrations()
def m006_label_the_table(database: Database) -> None:
    """Keep each label that was printed: what it said, and whether somebody saw it at its place."""
    _run(database, LABELS)


@migrations()
def m007_hear_what_became_of_slips(database: Database) -> None:
    """Keep what HQ says became of slips."""
    _run(database, CLAIMS)


@migrations()
def m008_count_a_day(database: Database) -> None:
    """Let the slips and papers of one day be counted by what is in them, and keep which days HQ was told of."""
    _run(database, DAYS)


@migrations()
def m009_say_how_the_kiosk_is(database: Database) -> None:
    """Keep since when a printer is as it is, and find the last diagnostic paper."""
    database.execute("alter table printer add column state_at text")
    database.execute("create index print_job_diagnostic on print_job (job_id) where kind = 'diagnostic'")


@migrations()
def m010_help_with_selections(database: Database) -> None:
    """Keep who helps with which selection and with which slip, and who asked for a person."""
    _run(database, HELP)


@migrations()
def m011_find_a_day_by_its_minute(database: Database) -> None:
    """Let a day be counted from indexes alone, where it was read from rows of three kilobytes each."""
    _run(database, DAY_INDEXES)


@migrations()
def m012_find_who_helped(database: Database) -> None:
    """Let the bundles that clerks helped with in a day be counted from an index alone, too."""
    _run(database, HELPED_INDEX)


@migrations()
def m013_compare_on_the_slip(database: Database) -> None:
    """Keep what a customer compared, where their slip is to say so."""
    database.execute(
        """
        create table selection_comparison (
          selection_id text primary key references selection on delete cascade,
          codes text not null
        ) strict
        """
    )


def _run(database: Database, statements: str) -> None:
    for statement in statements.split(";\n"):
        if statement.strip():
            database.execute(statement)


LABELS = """
create table shelf_label (
  label_no integer primary key,
  position text not null,
  sku_id integer not null,
  price_cents integer not null,
  facts text not null,
  format text not null,
  sheet_no integer,
  state text not null constraint known_label_state
    check (state in ('printed', 'standing', 'damaged', 'replaced', 'removed')),
  printed_at text not null,
  printed_by text not null,
  confirmed_at text,
  confirmed_by text,
  stale_at text,
  ended_at text
) strict;
create unique index shelf_label_printed on shelf_label (position) where state = 'printed';
create unique index shelf_label_standing on shelf_label (position) where state in ('standing', 'damaged');
create index shelf_label_by_sheet on shelf_label (sheet_no) where sheet_no is not null;
create index shelf_label_by_confirmation on shelf_label (confirmed_at);
create index shelf_label_stale on shelf_label (stale_at) where stale_at is not null
"""
CLERKS = f"""
create table clerk_secret (
  clerk_id text primary key,
  reset_no integer not null,
  code_hash text not null,
  key_id text not null,
  hash text not null,
  set_at text not null
) strict;
create table clerk_change (
  clerk_id text primary key,
  change_no integer not null,
  name text not null,
  role text not null constraint known_role check (role in ('clerk', 'manager', 'support')),
  state text not null constraint known_clerk_state check (state in ('active', 'suspended')),
  reset_no integer not null,
  code_hash text not null,
  changed_by text not null,
  changed_at text not null
) strict;
create index outbox_by_act on outbox (seq) where {ACT_EVENT}
"""
PRINTS = """
create table printer (
  name text primary key,
  position integer not null,
  address text not null,
  profile text not null,
  paper text,
  state text not null default 'unknown' constraint known_printer_state check (state in ('ok', 'fault', 'unknown', 'offline')),
  reasons text not null default ''
) strict;
insert into printer (name, position, address, profile)
  select 'printer', 1, iif(instr(host, ':') > 0, '[' || host || ']', host) || ':' || port, ''
  from (select value ->> '$.host' as host, value ->> '$.port' as port from setting where name = 'printer')
  where host is not null;
delete from setting where name = 'printer';
create table print_job_of_any_paper (
  job_id integer primary key,
  kind text not null constraint known_kind check (kind in ('slip', 'label', 'report', 'diagnostic', 'test')),
  subject text not null,
  copy_no integer not null,
  printer text not null,
  state text not null constraint known_state check (state in ('queued', 'sending', 'sent', 'confirmed', 'uncertain', 'failed')),
  reason text not null default '',
  requested_by text not null,
  requested_at text not null,
  process_id text,
  ended_at text,
  bytes blob,
  constraint one_job_a_copy unique (kind, subject, copy_no)
) strict;
insert into print_job_of_any_paper
  select job_id, 'slip', number, copy_no, printer, state, reason, requested_by, requested_at, null, ended_at, null from print_job;
drop table print_job;
alter table print_job_of_any_paper rename to print_job;
create index print_job_open on print_job (printer, job_id) where state in ('queued', 'sending', 'sent');
create index print_job_uncertain on print_job (process_id) where state = 'uncertain';
create index print_job_with_bytes on print_job (ended_at) where bytes is not null
"""
SLIP_LINES = """
select {slip}.number, line.key + 1, {slip}.issued_at, line.value ->> '$.listing.sku', line.value ->> '$.listing.title',
  cast(line.value ->> '$.plan.plan_id' as integer), line.value -> '$.plan.name'
"""
LINES_OF = "json_each(iif(json_valid({slip}.facts), {slip}.facts, '{{}}'), '$.lines') as line"
DAYS = f"""
create table slip_line (
  number text not null references slip (number),
  line_no integer not null,
  issued_at text not null,
  sku text,
  title text,
  plan_id integer,
  plan_name text,
  primary key (number, line_no)
) strict;
create index slip_line_by_time on slip_line (issued_at);
insert or ignore into slip_line {SLIP_LINES.format(slip="slip")} from slip, {LINES_OF.format(slip="slip")};
create trigger slip_lines after insert on slip begin insert or ignore into slip_line {SLIP_LINES.format(slip="new")}
  from {LINES_OF.format(slip="new")}; end;
create index print_job_by_request on print_job (requested_at);
create table told_day (
  day text primary key,
  edition integer not null,
  sha256 text not null,
  told_at text not null
) strict
"""
"""What is in each slip's lines, beside its facts: written by the slip itself, so that the two cannot differ."""
CLAIMS = """
create table slip_claim (
  key_id text not null,
  counter integer not null,
  state text not null constraint known_claim_state check (state in ('ordered', 'shipped', 'returned', 'cancelled')),
  state_at text not null,
  heard_at text not null,
  primary key (key_id, counter)
) strict
"""
DEMO = """
create table demo_round (
  round_no integer primary key,
  kind text not null constraint known_round_kind check (kind in ('opening', 'closing')),
  begun_at text not null,
  begun_by text not null,
  ended_at text
) strict;
create unique index one_round_at_a_time on demo_round ((ended_at is null)) where ended_at is null;
create table demo_device_event (
  event_no integer primary key autoincrement,
  demo_id text not null,
  position text not null,
  sku_id integer,
  kind text not null constraint known_demo_event check (kind in ('seen', 'moved', 'missing', 'loaned', 'returned', 'stolen',
    'damaged', 'battery', 'wiped', 'charged', 'cleaned', 'tested')),
  detail text not null default '',
  clerk_id text not null,
  at text not null,
  round_no integer references demo_round
) strict;
create index demo_device_event_by_device on demo_device_event (demo_id, kind, event_no);
create index demo_device_event_by_round on demo_device_event (round_no, demo_id) where round_no is not null;
create index demo_device_event_by_time on demo_device_event (at);
create table demo_place (
  demo_id text primary key,
  position text not null,
  planned text not null,
  displaced text not null,
  clerk_id text not null,
  at text not null
) strict;
create table demo_turn (
  clerk_id text primary key,
  round_no integer not null references demo_round,
  position text,
  is_here integer not null default 0,
  demo_id text,
  heard text not null default '',
  subject text not null default ''
) strict
"""
HELP = """
alter table slip add column helped_by text;
create table selection_help (
  selection_id text primary key references selection on delete cascade,
  helped_by text not null,
  began_at text not null,
  ended_at text
) strict;
create table call (
  call_no integer primary key,
  called_at text not null,
  page text not null,
  selection_id text,
  answered_by text,
  answered_at text
) strict;
create index call_by_time on call (called_at) where answered_at is null
"""
HELPED_INDEX = """
drop index slip_by_minute;
create index slip_by_minute on slip (issued_at, number, key_id, counter, helped_by)
"""
DAY_INDEXES = """
drop index slip_by_time;
create index slip_by_minute on slip (issued_at, number, key_id, counter);
drop index slip_line_by_time;
create index slip_line_by_minute on slip_line (issued_at, sku, number, title)
"""
SCHEMA = """
create table setting (name text primary key, value text not null) strict;
create table selection (
  selection_id text primary key,
  created_at text not null,
  touched_at text not null
) strict;
create table selection_line (
  selection_id text not null references selection on delete cascade,
  line_no integer not null,
  listing_id integer,
  plan_id integer,
  quantity integer not null constraint quantity_in_reach check (quantity between 1 and 9),
  options text not null,
  acquisition text not null constraint known_acquisition check (acquisition in ('new', 'port', 'renewal')),
  seen_cents integer,
  primary key (selection_id, line_no),
  constraint line_has_content check (listing_id is not null or plan_id is not null or options <> '[]')
) strict;
create table slip (
  key_id text not null,
  counter integer not null constraint counter_from_one check (counter >= 1),
  number text not null unique,
  selection_id text not null,
  fingerprint text not null,
  token blob not null,
  facts text not null,
  issued_at text not null,
  valid_until text not null,
  primary key (key_id, counter),
  constraint one_slip_per_unchanged_selection unique (selection_id, fingerprint)
) strict;
create index slip_by_time on slip (issued_at);
create table slip_void (
  number text primary key references slip (number),
  clerk_id text not null,
  reason text not null,
  voided_at text not null
) strict;
create table outbox (
  seq integer primary key,
  kind text not null,
  body text not null,
  sha256 text not null,
  prev text not null,
  recorded_at text not null
) strict;
create table print_job (
  job_id integer primary key,
  number text not null references slip (number),
  copy_no integer not null,
  printer text not null,
  state text not null constraint known_state check (state in ('queued', 'sending', 'sent', 'confirmed', 'uncertain', 'failed')),
  reason text not null default '',
  requested_by text not null,
  requested_at text not null,
  ended_at text,
  unique (number, copy_no)
) strict;
create table demo_check (
  position text primary key,
  sku_id integer not null,
  state text not null constraint known_demo_state check (state in ('present', 'missing')),
  clerk_id text not null,
  checked_at text not null
) strict;
create table pin_failure (clerk_id text primary key, failures integer not null, last_at text not null) strict;
create table clerk_session (
  token_sha256 text primary key,
  clerk_id text not null,
  started_at text not null,
  seen_at text not null
) strict
"""
