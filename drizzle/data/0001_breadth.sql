CREATE TABLE "confirmation" (
	"subject_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"attempts_left" integer NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"sealed_mailbox" "bytea",
	CONSTRAINT "confirmation_subject_id_id_pk" PRIMARY KEY("subject_id","id")
);
--> statement-breakpoint
CREATE TABLE "consent_revision" (
	"subject_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"subject_seq" integer NOT NULL,
	"cause" text NOT NULL,
	"other_subject_id" uuid,
	"answers" jsonb NOT NULL,
	"recorded_at" timestamp with time zone NOT NULL,
	CONSTRAINT "consent_revision_subject_id_id_pk" PRIMARY KEY("subject_id","id")
);
--> statement-breakpoint
CREATE TABLE "import_run" (
	"id" uuid PRIMARY KEY NOT NULL,
	"source" "bytea" NOT NULL,
	"format" text NOT NULL,
	"lines_done" bigint DEFAULT 0 NOT NULL,
	"counts" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"started_at" timestamp with time zone DEFAULT now() NOT NULL,
	"finished_at" timestamp with time zone,
	CONSTRAINT "import_run_source_unique" UNIQUE("source")
);
--> statement-breakpoint
CREATE TABLE "mail" (
	"subject_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"kind" text NOT NULL,
	"sealed" "bytea" NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"ends_at" timestamp with time zone NOT NULL,
	"next_attempt_at" timestamp with time zone NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"lease_token" integer DEFAULT 0 NOT NULL,
	"leased_until" timestamp with time zone,
	"sent_at" timestamp with time zone,
	"last_problem" text,
	CONSTRAINT "mail_subject_id_id_pk" PRIMARY KEY("subject_id","id")
);
--> statement-breakpoint
CREATE TABLE "match_review" (
	"subject_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"system" text NOT NULL,
	"purpose" text NOT NULL,
	"customer_ref" text NOT NULL,
	"identity_ref" text NOT NULL,
	"sealed" "bytea" NOT NULL,
	"requested_at" timestamp with time zone DEFAULT now() NOT NULL,
	"answer" text,
	"answered_by" text,
	"answered_at" timestamp with time zone,
	"sealed_reason" "bytea",
	CONSTRAINT "match_review_subject_id_id_pk" PRIMARY KEY("subject_id","id")
);
--> statement-breakpoint
CREATE TABLE "campaign" (
	"id" text PRIMARY KEY NOT NULL,
	"system" text NOT NULL,
	"purpose" text NOT NULL,
	"scope" jsonb NOT NULL,
	"closes_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "staff_session" (
	"hash" "bytea" PRIMARY KEY NOT NULL,
	"person" text NOT NULL,
	"roles" jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"ends_at" timestamp with time zone NOT NULL,
	"ended_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "birth_month" (
	"subject_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"sealed" "bytea" NOT NULL,
	"system" text NOT NULL,
	"recorded_at" timestamp with time zone NOT NULL,
	CONSTRAINT "birth_month_subject_id_id_pk" PRIMARY KEY("subject_id","id")
);
--> statement-breakpoint
ALTER TABLE "client" ALTER COLUMN "secret_hash" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "consent_event" ADD COLUMN "guardian_ok" boolean;--> statement-breakpoint
ALTER TABLE "consent_event" ADD COLUMN "despite_gpc" boolean;--> statement-breakpoint
ALTER TABLE "consent_event" ADD COLUMN "confirms" uuid;--> statement-breakpoint
ALTER TABLE "consent_event" ADD COLUMN "campaign" text;--> statement-breakpoint
ALTER TABLE "subject_state" ADD COLUMN "merged_into" uuid;--> statement-breakpoint
ALTER TABLE "subject_state" ADD COLUMN "signals" jsonb DEFAULT '{}'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "client" ADD COLUMN "issuer" text;--> statement-breakpoint
ALTER TABLE "client" ADD COLUMN "external_id" text;--> statement-breakpoint
CREATE INDEX "confirmation_expires" ON "confirmation" USING brin ("expires_at");--> statement-breakpoint
CREATE INDEX "mail_queue" ON "mail" USING btree ("next_attempt_at") WHERE sent_at is null;--> statement-breakpoint
CREATE INDEX "match_review_open" ON "match_review" USING btree ("requested_at") WHERE answered_at is null;--> statement-breakpoint
CREATE INDEX "match_review_id" ON "match_review" USING btree ("id");--> statement-breakpoint
CREATE INDEX "match_review_pair" ON "match_review" USING btree ("customer_ref","identity_ref") WHERE answer is not null;--> statement-breakpoint
CREATE INDEX "subject_state_merged" ON "subject_state" USING btree ("merged_into") WHERE merged_into is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "client_outside" ON "client" USING btree ("issuer","external_id");