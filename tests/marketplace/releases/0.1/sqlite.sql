CREATE TABLE setting (
	name TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (name)
)
 STRICT

;
CREATE TABLE market (
	market TEXT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (market)
)
 STRICT

;
CREATE TABLE law (
	law_id TEXT NOT NULL,
	market TEXT NOT NULL,
	kind TEXT NOT NULL,
	valid_from TEXT NOT NULL,
	valid_to TEXT,
	body TEXT NOT NULL,
	PRIMARY KEY (law_id)
)
 STRICT

;
CREATE TABLE partner (
	partner_id TEXT NOT NULL,
	market TEXT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (partner_id)
)
 STRICT

;
CREATE TABLE grade (
	grade_id INTEGER NOT NULL,
	rank INTEGER NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (grade_id)
)
 STRICT

;
CREATE TABLE category (
	category_id TEXT NOT NULL,
	rank INTEGER NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (category_id)
)
 STRICT

;
CREATE TABLE seller (
	seller_id INTEGER NOT NULL,
	quality_bp INTEGER NOT NULL,
	suspended INTEGER NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (seller_id)
)
 STRICT

;
CREATE TABLE sku (
	sku_id INTEGER NOT NULL,
	sku TEXT NOT NULL,
	category_id TEXT NOT NULL,
	brand TEXT NOT NULL,
	model TEXT NOT NULL,
	storage_gb INTEGER,
	year INTEGER,
	body TEXT NOT NULL,
	PRIMARY KEY (sku_id)
)
 STRICT

;
CREATE TABLE media (
	media_id INTEGER NOT NULL,
	sku_id INTEGER,
	category_id TEXT,
	kind TEXT NOT NULL,
	rank INTEGER NOT NULL,
	sha256 TEXT NOT NULL,
	length INTEGER NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (media_id)
)
 STRICT

;
CREATE TABLE "plan" (
	plan_id INTEGER NOT NULL,
	market TEXT NOT NULL,
	partner_id TEXT NOT NULL,
	rank INTEGER NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (plan_id)
)
 STRICT

;
CREATE TABLE option (
	option_id INTEGER NOT NULL,
	market TEXT NOT NULL,
	rank INTEGER NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (option_id)
)
 STRICT

;
CREATE TABLE corner (
	corner_id TEXT NOT NULL,
	corner_no INTEGER NOT NULL,
	market TEXT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (corner_id)
)
 STRICT

;
CREATE TABLE corner_ring (
	corner_id TEXT NOT NULL,
	ring TEXT NOT NULL,
	PRIMARY KEY (corner_id)
)
 STRICT

;
CREATE TABLE listing (
	seller_id INTEGER NOT NULL,
	listing_id INTEGER NOT NULL,
	market TEXT NOT NULL,
	sku_id INTEGER NOT NULL,
	grade_id INTEGER NOT NULL,
	price_cents INTEGER NOT NULL,
	shipping_cents INTEGER NOT NULL,
	delivery_days INTEGER NOT NULL,
	warranty_months INTEGER NOT NULL,
	vat_margin INTEGER NOT NULL,
	battery_pct INTEGER,
	new_battery INTEGER NOT NULL,
	prior_cents INTEGER,
	comment TEXT NOT NULL,
	state TEXT NOT NULL,
	quantity INTEGER NOT NULL,
	reserved INTEGER NOT NULL,
	PRIMARY KEY (seller_id, listing_id),
	CONSTRAINT price_is_positive CHECK (price_cents > 0),
	CONSTRAINT reserved_not_negative CHECK (reserved >= 0),
	CONSTRAINT known_listing_state CHECK (state in ('online', 'offline', 'withdrawn'))
)
 STRICT

;
CREATE INDEX listing_by_sku ON listing (sku_id, grade_id);
CREATE INDEX listing_by_id ON listing (listing_id);
CREATE TABLE price_start (
	seller_id INTEGER NOT NULL,
	price_start_id TEXT NOT NULL,
	market TEXT NOT NULL,
	listing_id INTEGER NOT NULL,
	starts_at TEXT NOT NULL,
	price_cents INTEGER NOT NULL,
	prior_cents INTEGER,
	PRIMARY KEY (seller_id, price_start_id),
	CONSTRAINT price_start_is_positive CHECK (price_cents > 0)
)
 STRICT

;
CREATE INDEX price_start_by_time ON price_start (starts_at);
CREATE TABLE listing_terms (
	seller_id INTEGER NOT NULL,
	market TEXT NOT NULL,
	listing_id INTEGER NOT NULL,
	publication INTEGER NOT NULL,
	line TEXT NOT NULL,
	published_at TEXT NOT NULL,
	sku_id INTEGER NOT NULL,
	grade_id INTEGER NOT NULL,
	price_cents INTEGER NOT NULL,
	shipping_cents INTEGER NOT NULL,
	delivery_days INTEGER NOT NULL,
	warranty_months INTEGER NOT NULL,
	vat_margin INTEGER NOT NULL,
	battery_pct INTEGER,
	new_battery INTEGER NOT NULL,
	prior_cents INTEGER,
	withdrawn INTEGER NOT NULL,
	PRIMARY KEY (seller_id, market, listing_id, publication)
)
 STRICT

;
CREATE INDEX listing_terms_by_id ON listing_terms (listing_id, market, publication);
CREATE TABLE price_start_terms (
	seller_id INTEGER NOT NULL,
	market TEXT NOT NULL,
	price_start_id TEXT NOT NULL,
	publication INTEGER NOT NULL,
	line TEXT NOT NULL,
	published_at TEXT NOT NULL,
	listing_id INTEGER NOT NULL,
	starts_at TEXT NOT NULL,
	price_cents INTEGER NOT NULL,
	prior_cents INTEGER,
	withdrawn INTEGER NOT NULL,
	PRIMARY KEY (seller_id, market, price_start_id, publication)
)
 STRICT

;
CREATE INDEX price_start_terms_by_id ON price_start_terms (price_start_id, market, publication);
CREATE INDEX price_start_terms_by_listing ON price_start_terms (listing_id, market, starts_at);
CREATE TABLE plan_terms (
	market TEXT NOT NULL,
	plan_id INTEGER NOT NULL,
	publication INTEGER NOT NULL,
	line TEXT NOT NULL,
	published_at TEXT NOT NULL,
	body TEXT NOT NULL,
	withdrawn INTEGER NOT NULL,
	PRIMARY KEY (market, plan_id, publication)
)
 STRICT

;
CREATE TABLE option_terms (
	market TEXT NOT NULL,
	option_id INTEGER NOT NULL,
	publication INTEGER NOT NULL,
	line TEXT NOT NULL,
	published_at TEXT NOT NULL,
	body TEXT NOT NULL,
	withdrawn INTEGER NOT NULL,
	PRIMARY KEY (market, option_id, publication)
)
 STRICT

;
CREATE TABLE terms_mark (
	market TEXT NOT NULL,
	line TEXT NOT NULL,
	publication INTEGER NOT NULL,
	published_at TEXT NOT NULL,
	PRIMARY KEY (market, line)
)
 STRICT

;
CREATE TABLE feed_import (
	import_id TEXT NOT NULL,
	feed TEXT NOT NULL,
	started_at TEXT NOT NULL,
	problems INTEGER NOT NULL,
	report TEXT NOT NULL,
	PRIMARY KEY (import_id)
)
 STRICT

;
CREATE TABLE console_failure (
	name TEXT NOT NULL,
	failures INTEGER NOT NULL,
	last_at TEXT NOT NULL,
	PRIMARY KEY (name)
)
 STRICT

;
CREATE TABLE device (
	corner_id TEXT NOT NULL,
	key_id TEXT NOT NULL,
	public_key BLOB NOT NULL,
	stream TEXT NOT NULL,
	enrolled_at TEXT NOT NULL,
	first_counter INTEGER NOT NULL,
	next_counter INTEGER,
	acked INTEGER NOT NULL,
	superseded_at TEXT,
	quarantined_at TEXT,
	seen_at TEXT,
	heartbeat TEXT,
	PRIMARY KEY (corner_id, key_id)
)
 STRICT

;
CREATE INDEX device_by_quarantine ON device (quarantined_at, acked);
CREATE INDEX device_by_key ON device (key_id);
CREATE TABLE standing (
	corner_id TEXT NOT NULL,
	corner_no INTEGER NOT NULL,
	block INTEGER NOT NULL,
	market TEXT NOT NULL,
	name TEXT NOT NULL,
	folded TEXT NOT NULL,
	ring TEXT NOT NULL,
	line TEXT NOT NULL,
	key_id TEXT,
	enrolled_at TEXT,
	seen_at TEXT NOT NULL,
	publication INTEGER NOT NULL,
	catalog_at TEXT NOT NULL,
	pending INTEGER NOT NULL,
	oldest_at TEXT,
	printer TEXT NOT NULL,
	software TEXT NOT NULL,
	clock_s INTEGER,
	trouble INTEGER NOT NULL,
	faults TEXT NOT NULL,
	state TEXT NOT NULL,
	told_at TEXT NOT NULL,
	PRIMARY KEY (corner_id)
)
 STRICT

;
CREATE INDEX standing_by_trouble ON standing (trouble, corner_id);
CREATE INDEX standing_by_seen ON standing (seen_at, corner_id);
CREATE INDEX standing_by_number ON standing (corner_no, corner_id);
CREATE INDEX standing_by_catalog ON standing (catalog_at, corner_id);
CREATE INDEX standing_by_pending ON standing (pending, corner_id);
CREATE INDEX standing_by_software ON standing (software, corner_id);
CREATE INDEX standing_by_publication ON standing (market, ring, publication);
CREATE INDEX standing_by_line ON standing (market, ring, block, trouble, publication, seen_at);
CREATE TABLE heartbeat (
	corner_id TEXT NOT NULL,
	at TEXT NOT NULL,
	key_id TEXT NOT NULL,
	state TEXT NOT NULL,
	PRIMARY KEY (corner_id, at, key_id)
)
 STRICT

;
CREATE TABLE device_request (
	corner_id TEXT NOT NULL,
	key_id TEXT NOT NULL,
	public_key BLOB NOT NULL,
	selector TEXT NOT NULL,
	stream TEXT NOT NULL,
	fingerprint TEXT NOT NULL,
	asked_at TEXT NOT NULL,
	expires_at TEXT NOT NULL,
	state TEXT NOT NULL,
	decided_at TEXT,
	PRIMARY KEY (corner_id, key_id),
	CONSTRAINT known_request_state CHECK (state in ('waiting', 'confirmed', 'refused'))
)
 STRICT

;
CREATE INDEX device_request_by_state ON device_request (state, expires_at);
CREATE INDEX device_request_by_key ON device_request (key_id);
CREATE TABLE revocation (
	corner_id TEXT NOT NULL,
	key_id TEXT NOT NULL,
	from_counter INTEGER NOT NULL,
	revoked_at TEXT NOT NULL,
	PRIMARY KEY (corner_id, key_id)
)
 STRICT

;
CREATE TABLE enrolment_code (
	corner_id TEXT NOT NULL,
	selector TEXT NOT NULL,
	secret_sha256 TEXT NOT NULL,
	created_at TEXT NOT NULL,
	expires_at TEXT NOT NULL,
	must_confirm INTEGER NOT NULL,
	tries INTEGER NOT NULL,
	used_at TEXT,
	used_by TEXT,
	PRIMARY KEY (corner_id, selector)
)
 STRICT

;
CREATE INDEX enrolment_code_by_selector ON enrolment_code (selector);
CREATE TABLE inbox (
	corner_id TEXT NOT NULL,
	key_id TEXT NOT NULL,
	stream TEXT NOT NULL,
	seq INTEGER NOT NULL,
	kind TEXT NOT NULL,
	body TEXT NOT NULL,
	sha256 TEXT NOT NULL,
	prev TEXT NOT NULL,
	recorded_at TEXT NOT NULL,
	received_at TEXT NOT NULL,
	state TEXT NOT NULL,
	reason TEXT NOT NULL,
	note TEXT NOT NULL,
	PRIMARY KEY (corner_id, key_id, stream, seq),
	CONSTRAINT known_inbox_state CHECK (state in ('new', 'judged', 'dead', 'set_aside'))
)
 STRICT

;
CREATE INDEX inbox_by_state ON inbox (state, corner_id, key_id, stream, seq);
CREATE TABLE sent (
	corner_id TEXT NOT NULL,
	key_id TEXT NOT NULL,
	hour TEXT NOT NULL,
	events INTEGER NOT NULL,
	bytes INTEGER NOT NULL,
	PRIMARY KEY (corner_id, key_id, hour)
)
 STRICT

;
CREATE TABLE slip (
	corner_id TEXT NOT NULL,
	key_id TEXT NOT NULL,
	counter INTEGER NOT NULL,
	number TEXT NOT NULL,
	digits TEXT NOT NULL,
	facts TEXT NOT NULL,
	issued_at TEXT NOT NULL,
	valid_until TEXT NOT NULL,
	received_at TEXT NOT NULL,
	difference TEXT,
	PRIMARY KEY (corner_id, key_id, counter)
)
 STRICT

;
CREATE INDEX slip_by_difference ON slip (corner_id, issued_at) WHERE difference is not null;
CREATE INDEX slip_by_time ON slip (issued_at);
CREATE INDEX slip_by_corner ON slip (corner_id, issued_at);
CREATE TABLE slip_void (
	corner_id TEXT NOT NULL,
	key_id TEXT NOT NULL,
	counter INTEGER NOT NULL,
	reason TEXT NOT NULL,
	voided_at TEXT NOT NULL,
	PRIMARY KEY (corner_id, key_id, counter)
)
 STRICT

;
CREATE TABLE claim (
	corner_id TEXT NOT NULL,
	key_id TEXT NOT NULL,
	counter INTEGER NOT NULL,
	number TEXT NOT NULL,
	customer_id TEXT NOT NULL,
	order_id TEXT NOT NULL,
	claimed_at TEXT NOT NULL,
	difference TEXT,
	PRIMARY KEY (corner_id, key_id, counter)
)
 STRICT

;
CREATE INDEX claim_by_corner ON claim (corner_id, claimed_at);
CREATE INDEX claim_by_time ON claim (claimed_at);
CREATE TABLE customer_order (
	customer_id TEXT NOT NULL,
	order_id TEXT NOT NULL,
	number TEXT NOT NULL,
	market TEXT NOT NULL,
	currency TEXT NOT NULL,
	state TEXT NOT NULL,
	name TEXT NOT NULL,
	email TEXT NOT NULL,
	address TEXT NOT NULL,
	facts TEXT NOT NULL,
	totals TEXT NOT NULL,
	placed_at TEXT NOT NULL,
	PRIMARY KEY (customer_id, order_id),
	CONSTRAINT known_order_state CHECK (state in ('to_confirm', 'accepted', 'shipped', 'cancelled'))
)
 STRICT

;
CREATE INDEX customer_order_by_state ON customer_order (state);
CREATE INDEX customer_order_by_id ON customer_order (order_id);
CREATE INDEX customer_order_by_time ON customer_order (placed_at);
CREATE TABLE order_line (
	customer_id TEXT NOT NULL,
	order_id TEXT NOT NULL,
	line_no INTEGER NOT NULL,
	seller_id INTEGER,
	listing_id INTEGER,
	plan_id INTEGER,
	quantity INTEGER NOT NULL,
	basis TEXT NOT NULL,
	total_cents INTEGER NOT NULL,
	PRIMARY KEY (customer_id, order_id, line_no),
	CONSTRAINT known_basis CHECK (basis in ('then', 'now', 'replaced', 'dropped'))
)
 STRICT

;
CREATE TABLE sync_dirty (
	market TEXT NOT NULL,
	table_name TEXT NOT NULL,
	row_key TEXT NOT NULL,
	gen BIGINT NOT NULL,
	PRIMARY KEY (market, table_name, row_key)
);
CREATE TABLE sync_publication (
	market TEXT NOT NULL,
	publication INTEGER NOT NULL,
	line TEXT NOT NULL,
	published_at TEXT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (market, publication)
);
CREATE TABLE sync_trial (
	market TEXT NOT NULL,
	trial_id TEXT NOT NULL,
	opened_at TEXT NOT NULL,
	shares TEXT NOT NULL,
	forks TEXT NOT NULL,
	state TEXT NOT NULL,
	closed_at TEXT,
	reason TEXT,
	PRIMARY KEY (market, trial_id)
);
CREATE TABLE sync_held (
	market TEXT NOT NULL,
	table_name TEXT NOT NULL,
	row_key TEXT NOT NULL,
	trial_id TEXT NOT NULL,
	"row" TEXT NOT NULL,
	PRIMARY KEY (market, table_name, row_key)
);
