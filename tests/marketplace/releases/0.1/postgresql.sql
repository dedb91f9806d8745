CREATE TABLE setting (
	name TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (name)
);
CREATE TABLE market (
	market TEXT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (market)
);
CREATE TABLE law (
	law_id TEXT NOT NULL,
	market TEXT NOT NULL,
	kind TEXT NOT NULL,
	valid_from TEXT NOT NULL,
	valid_to TEXT,
	body TEXT NOT NULL,
	PRIMARY KEY (law_id)
);
CREATE TABLE partner (
	partner_id TEXT NOT NULL,
	market TEXT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (partner_id)
);
CREATE TABLE grade (
	grade_id BIGINT NOT NULL,
	rank BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (grade_id)
);
CREATE TABLE category (
	category_id TEXT NOT NULL,
	rank BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (category_id)
);
CREATE TABLE seller (
	seller_id BIGINT NOT NULL,
	quality_bp BIGINT NOT NULL,
	suspended BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (seller_id)
);
CREATE TABLE sku (
	sku_id BIGINT NOT NULL,
	sku TEXT NOT NULL,
	category_id TEXT NOT NULL,
	brand TEXT NOT NULL,
	model TEXT NOT NULL,
	storage_gb BIGINT,
	year BIGINT,
	body TEXT NOT NULL,
	PRIMARY KEY (sku_id)
);
CREATE TABLE media (
	media_id BIGINT NOT NULL,
	sku_id BIGINT,
	category_id TEXT,
	kind TEXT NOT NULL,
	rank BIGINT NOT NULL,
	sha256 TEXT NOT NULL,
	length BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (media_id)
);
CREATE TABLE plan (
	plan_id BIGINT NOT NULL,
	market TEXT NOT NULL,
	partner_id TEXT NOT NULL,
	rank BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (plan_id)
);
CREATE TABLE option (
	option_id BIGINT NOT NULL,
	market TEXT NOT NULL,
	rank BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (option_id)
);
CREATE TABLE corner (
	corner_id TEXT NOT NULL,
	corner_no BIGINT NOT NULL,
	market TEXT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (corner_id)
);
CREATE TABLE corner_ring (
	corner_id TEXT NOT NULL,
	ring TEXT NOT NULL,
	PRIMARY KEY (corner_id)
);
CREATE TABLE listing (
	seller_id BIGINT NOT NULL,
	listing_id BIGINT NOT NULL,
	market TEXT NOT NULL,
	sku_id BIGINT NOT NULL,
	grade_id BIGINT NOT NULL,
	price_cents BIGINT NOT NULL,
	shipping_cents BIGINT NOT NULL,
	delivery_days BIGINT NOT NULL,
	warranty_months BIGINT NOT NULL,
	vat_margin BIGINT NOT NULL,
	battery_pct BIGINT,
	new_battery BIGINT NOT NULL,
	prior_cents BIGINT,
	comment TEXT NOT NULL,
	state TEXT NOT NULL,
	quantity BIGINT NOT NULL,
	reserved BIGINT NOT NULL,
	PRIMARY KEY (seller_id, listing_id),
	CONSTRAINT price_is_positive CHECK (price_cents > 0),
	CONSTRAINT reserved_not_negative CHECK (reserved >= 0),
	CONSTRAINT known_listing_state CHECK (state in ('online', 'offline', 'withdrawn'))
);
CREATE INDEX listing_by_id ON listing (listing_id);
CREATE INDEX listing_by_sku ON listing (sku_id, grade_id);
CREATE TABLE price_start (
	seller_id BIGINT NOT NULL,
	price_start_id TEXT NOT NULL,
	market TEXT NOT NULL,
	listing_id BIGINT NOT NULL,
	starts_at TEXT NOT NULL,
	price_cents BIGINT NOT NULL,
	prior_cents BIGINT,
	PRIMARY KEY (seller_id, price_start_id),
	CONSTRAINT price_start_is_positive CHECK (price_cents > 0)
);
CREATE INDEX price_start_by_time ON price_start (starts_at);
CREATE TABLE listing_terms (
	seller_id BIGINT NOT NULL,
	market TEXT NOT NULL,
	listing_id BIGINT NOT NULL,
	publication BIGINT NOT NULL,
	line TEXT NOT NULL,
	published_at TEXT NOT NULL,
	sku_id BIGINT NOT NULL,
	grade_id BIGINT NOT NULL,
	price_cents BIGINT NOT NULL,
	shipping_cents BIGINT NOT NULL,
	delivery_days BIGINT NOT NULL,
	warranty_months BIGINT NOT NULL,
	vat_margin BIGINT NOT NULL,
	battery_pct BIGINT,
	new_battery BIGINT NOT NULL,
	prior_cents BIGINT,
	withdrawn BIGINT NOT NULL,
	PRIMARY KEY (seller_id, market, listing_id, publication)
);
CREATE INDEX listing_terms_by_id ON listing_terms (listing_id, market, publication);
CREATE TABLE price_start_terms (
	seller_id BIGINT NOT NULL,
	market TEXT NOT NULL,
	price_start_id TEXT NOT NULL,
	publication BIGINT NOT NULL,
	line TEXT NOT NULL,
	published_at TEXT NOT NULL,
	listing_id BIGINT NOT NULL,
	starts_at TEXT NOT NULL,
	price_cents BIGINT NOT NULL,
	prior_cents BIGINT,
	withdrawn BIGINT NOT NULL,
	PRIMARY KEY (seller_id, market, price_start_id, publication)
);
CREATE INDEX price_start_terms_by_id ON price_start_terms (price_start_id, market, publication);
CREATE INDEX price_start_terms_by_listing ON price_start_terms (listing_id, market, starts_at);
CREATE TABLE plan_terms (
	market TEXT NOT NULL,
	plan_id BIGINT NOT NULL,
	publication BIGINT NOT NULL,
	line TEXT NOT NULL,
	published_at TEXT NOT NULL,
	body TEXT NOT NULL,
	withdrawn BIGINT NOT NULL,
	PRIMARY KEY (market, plan_id, publication)
);
CREATE TABLE option_terms (
	market TEXT NOT NULL,
	option_id BIGINT NOT NULL,
	publication BIGINT NOT NULL,
	line TEXT NOT NULL,
	published_at TEXT NOT NULL,
	body TEXT NOT NULL,
	withdrawn BIGINT NOT NULL,
	PRIMARY KEY (market, option_id, publication)
);
CREATE TABLE terms_mark (
	market TEXT NOT NULL,
	line TEXT NOT NULL,
	publication BIGINT NOT NULL,
	published_at TEXT NOT NULL,
	PRIMARY KEY (market, line)
);
CREATE TABLE feed_import (
	import_id TEXT NOT NULL,
	feed TEXT NOT NULL,
	started_at TEXT NOT NULL,
	problems BIGINT NOT NULL,
	report TEXT NOT NULL,
	PRIMARY KEY (import_id)
);
CREATE TABLE console_failure (
	name TEXT NOT NULL,
	failures BIGINT NOT NULL,
	last_at TEXT NOT NULL,
	PRIMARY KEY (name)
);
CREATE TABLE device (
	corner_id TEXT NOT NULL,
	key_id TEXT NOT NULL,
	public_key BYTEA NOT NULL,
	stream TEXT NOT NULL,
	enrolled_at TEXT NOT NULL,
	first_counter BIGINT NOT NULL,
	next_counter BIGINT,
	acked BIGINT NOT NULL,
	superseded_at TEXT,
	quarantined_at TEXT,
	seen_at TEXT,
	heartbeat TEXT,
	PRIMARY KEY (corner_id, key_id)
);
CREATE INDEX device_by_key ON device (key_id);
CREATE INDEX device_by_quarantine ON device (quarantined_at, acked);
CREATE TABLE standing (
	corner_id TEXT NOT NULL,
	corner_no BIGINT NOT NULL,
	block BIGINT NOT NULL,
	market TEXT NOT NULL,
	name TEXT NOT NULL,
	folded TEXT NOT NULL,
	ring TEXT NOT NULL,
	line TEXT NOT NULL,
	key_id TEXT,
	enrolled_at TEXT,
	seen_at TEXT NOT NULL,
	publication BIGINT NOT NULL,
	catalog_at TEXT NOT NULL,
	pending BIGINT NOT NULL,
	oldest_at TEXT,
	printer TEXT NOT NULL,
	software TEXT NOT NULL,
	clock_s BIGINT,
	trouble BIGINT NOT NULL,
	faults TEXT NOT NULL,
	state TEXT NOT NULL,
	told_at TEXT NOT NULL,
	PRIMARY KEY (corner_id)
);
CREATE INDEX standing_by_seen ON standing (seen_at, corner_id);
CREATE INDEX standing_by_number ON standing (corner_no, corner_id);
CREATE INDEX standing_by_catalog ON standing (catalog_at, corner_id);
CREATE INDEX standing_by_pending ON standing (pending, corner_id);
CREATE INDEX standing_by_software ON standing (software, corner_id);
CREATE INDEX standing_by_publication ON standing (market, ring, publication);
CREATE INDEX standing_by_line ON standing (market, ring, block, trouble, publication, seen_at);
CREATE INDEX standing_by_trouble ON standing (trouble, corner_id);
CREATE TABLE heartbeat (
	corner_id TEXT NOT NULL,
	at TEXT NOT NULL,
	key_id TEXT NOT NULL,
	state TEXT NOT NULL,
	PRIMARY KEY (corner_id, at, key_id)
);
CREATE TABLE device_request (
	corner_id TEXT NOT NULL,
	key_id TEXT NOT NULL,
	public_key BYTEA NOT NULL,
	selector TEXT NOT NULL,
	stream TEXT NOT NULL,
	fingerprint TEXT NOT NULL,
	asked_at TEXT NOT NULL,
	expires_at TEXT NOT NULL,
	state TEXT NOT NULL,
	decided_at TEXT,
	PRIMARY KEY (corner_id, key_id),
	CONSTRAINT known_request_state CHECK (state in ('waiting', 'confirmed', 'refused'))
);
CREATE INDEX device_request_by_key ON device_request (key_id);
CREATE INDEX device_request_by_state ON device_request (state, expires_at);
CREATE TABLE revocation (
	corner_id TEXT NOT NULL,
	key_id TEXT NOT NULL,
	from_counter BIGINT NOT NULL,
	revoked_at TEXT NOT NULL,
	PRIMARY KEY (corner_id, key_id)
);
CREATE TABLE enrolment_code (
	corner_id TEXT NOT NULL,
	selector TEXT NOT NULL,
	secret_sha256 TEXT NOT NULL,
	created_at TEXT NOT NULL,
	expires_at TEXT NOT NULL,
	must_confirm BIGINT NOT NULL,
	tries BIGINT NOT NULL,
	used_at TEXT,
	used_by TEXT,
	PRIMARY KEY (corner_id, selector)
);
CREATE INDEX enrolment_code_by_selector ON enrolment_code (selector);
CREATE TABLE inbox (
	corner_id TEXT NOT NULL,
	key_id TEXT NOT NULL,
	stream TEXT NOT NULL,
	seq BIGINT NOT NULL,
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
);
CREATE INDEX inbox_by_state ON inbox (state, corner_id, key_id, stream, seq);
CREATE TABLE sent (
	corner_id TEXT NOT NULL,
	key_id TEXT NOT NULL,
	hour TEXT NOT NULL,
	events BIGINT NOT NULL,
	bytes BIGINT NOT NULL,
	PRIMARY KEY (corner_id, key_id, hour)
);
CREATE TABLE slip (
	corner_id TEXT NOT NULL,
	key_id TEXT NOT NULL,
	counter BIGINT NOT NULL,
	number TEXT NOT NULL,
	digits TEXT NOT NULL,
	facts TEXT NOT NULL,
	issued_at TEXT NOT NULL,
	valid_until TEXT NOT NULL,
	received_at TEXT NOT NULL,
	difference TEXT,
	PRIMARY KEY (corner_id, key_id, counter)
);
CREATE INDEX slip_by_corner ON slip (corner_id, issued_at);
CREATE INDEX slip_by_difference ON slip (corner_id, issued_at) WHERE difference is not null;
CREATE INDEX slip_by_time ON slip (issued_at);
CREATE TABLE slip_void (
	corner_id TEXT NOT NULL,
	key_id TEXT NOT NULL,
	counter BIGINT NOT NULL,
	reason TEXT NOT NULL,
	voided_at TEXT NOT NULL,
	PRIMARY KEY (corner_id, key_id, counter)
);
CREATE TABLE claim (
	corner_id TEXT NOT NULL,
	key_id TEXT NOT NULL,
	counter BIGINT NOT NULL,
	number TEXT NOT NULL,
	customer_id TEXT NOT NULL,
	order_id TEXT NOT NULL,
	claimed_at TEXT NOT NULL,
	difference TEXT,
	PRIMARY KEY (corner_id, key_id, counter)
);
CREATE INDEX claim_by_time ON claim (claimed_at);
CREATE INDEX claim_by_corner ON claim (corner_id, claimed_at);
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
);
CREATE INDEX customer_order_by_id ON customer_order (order_id);
CREATE INDEX customer_order_by_time ON customer_order (placed_at);
CREATE INDEX customer_order_by_state ON customer_order (state);
CREATE TABLE order_line (
	customer_id TEXT NOT NULL,
	order_id TEXT NOT NULL,
	line_no BIGINT NOT NULL,
	seller_id BIGINT,
	listing_id BIGINT,
	plan_id BIGINT,
	quantity BIGINT NOT NULL,
	basis TEXT NOT NULL,
	total_cents BIGINT NOT NULL,
	PRIMARY KEY (customer_id, order_id, line_no),
	CONSTRAINT known_basis CHECK (basis in ('then', 'now', 'replaced', 'dropped'))
);
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
	row TEXT NOT NULL,
	PRIMARY KEY (market, table_name, row_key)
);
