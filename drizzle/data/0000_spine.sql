CREATE TABLE "consent_event" (
	"subject_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"subject_seq" integer NOT NULL,
	"purpose" text NOT NULL,
	"scope" jsonb NOT NULL,
	"action" text NOT NULL,
	"answer" text NOT NULL,
	"notice_version" integer,
	"notice_language" text,
	"notice_hash" "bytea",
	"method" text NOT NULL,
	"rank" text NOT NULL,
	"own_act" boolean NOT NULL,
	"system" text NOT NULL,
	"evidence" "bytea",
	"policy_digest" text NOT NULL,
	"occurred_at" timestamp with time zone NOT NULL,
	"recorded_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone,
	CONSTRAINT "consent_event_subject_id_id_pk" PRIMARY KEY("subject_id","id")
);
--> statement-breakpoint
CREATE TABLE "denial" (
	"subject_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"system" text NOT NULL,
	"action" text NOT NULL,
	"purpose" text NOT NULL,
	"policy_digest" text NOT NULL,
	"facts" json NOT NULL,
	"rules" json NOT NULL,
	"decided_at" timestamp with time zone NOT NULL,
	CONSTRAINT "denial_subject_id_id_pk" PRIMARY KEY("subject_id","id")
);
--> statement-breakpoint
CREATE TABLE "permit" (
	"subject_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"system" text NOT NULL,
	"policy_digest" text NOT NULL,
	"decisions" json NOT NULL,
	"version" integer NOT NULL,
	"decided_at" timestamp with time zone NOT NULL,
	"lease_ends_at" timestamp with time zone NOT NULL,
	CONSTRAINT "permit_subject_id_id_pk" PRIMARY KEY("subject_id","id")
);
--> statement-breakpoint
CREATE TABLE "idempotency" (
	"hash" "bytea" PRIMARY KEY NOT NULL,
	"fingerprint" "bytea" NOT NULL,
	"subject_id" uuid NOT NULL,
	"resource_id" uuid NOT NULL,
	"recorded_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "lease" (
	"name" text PRIMARY KEY NOT NULL,
	"token" integer NOT NULL,
	"until" timestamp with time zone NOT NULL,
	"progress" jsonb
);
--> statement-breakpoint
CREATE TABLE "rate_limit" (
	"key" text PRIMARY KEY NOT NULL,
	"window_ends_at" timestamp with time zone NOT NULL,
	"taken" integer NOT NULL,
	"granted" integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE "link_event" (
	"subject_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"link_id" uuid NOT NULL,
	"side" text NOT NULL,
	"status" text NOT NULL,
	"cause" text NOT NULL,
	"system" text NOT NULL,
	"facts" jsonb NOT NULL,
	"recorded_at" timestamp with time zone NOT NULL,
	CONSTRAINT "link_event_subject_id_id_pk" PRIMARY KEY("subject_id","id")
);
--> statement-breakpoint
CREATE TABLE "deployment" (
	"one" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"policy_digest" text,
	"policy_activated_at" timestamp with time zone,
	"clients_epoch" integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE "policy_set" (
	"digest" text PRIMARY KEY NOT NULL,
	"content" text NOT NULL,
	"stored_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "audit_event" (
	"subject_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"verb" text NOT NULL,
	"system" text NOT NULL,
	"actor" text,
	"version" integer NOT NULL,
	"recorded_at" timestamp with time zone NOT NULL,
	CONSTRAINT "audit_event_subject_id_id_pk" PRIMARY KEY("subject_id","id")
);
--> statement-breakpoint
CREATE TABLE "control_challenge" (
	"blind_index" "bytea" NOT NULL,
	"id" uuid NOT NULL,
	"subject_id" uuid NOT NULL,
	"requested_by" text NOT NULL,
	"attempts_left" integer NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"seen_at" timestamp with time zone,
	"seen_by" text,
	CONSTRAINT "control_challenge_blind_index_id_pk" PRIMARY KEY("blind_index","id")
);
--> statement-breakpoint
CREATE TABLE "identifier" (
	"blind_index" "bytea" PRIMARY KEY NOT NULL,
	"namespace" text NOT NULL,
	"key_version" integer NOT NULL,
	"subject_id" uuid NOT NULL,
	"sealed" "bytea" NOT NULL,
	"shared" boolean DEFAULT false NOT NULL,
	"observed_at" timestamp with time zone,
	"proved_subject_id" uuid,
	"proved_at" timestamp with time zone,
	"proved_via" text,
	"recorded_by" text NOT NULL,
	"recorded_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "subject_state" (
	"subject_id" uuid PRIMARY KEY NOT NULL,
	"version" integer NOT NULL,
	"answers" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"links" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"lease_floor" integer DEFAULT 0 NOT NULL,
	"restricted_at" timestamp with time zone,
	"erased_at" timestamp with time zone,
	"review_at" timestamp with time zone,
	"reviewed_policy" text,
	"changed_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "client" (
	"id" text PRIMARY KEY NOT NULL,
	"system" text NOT NULL,
	"secret_hash" "bytea" NOT NULL,
	"scopes" jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"revoked_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "endpoint" (
	"system" text PRIMARY KEY NOT NULL,
	"url" text NOT NULL,
	"sealed_secret" "bytea" NOT NULL,
	"sealed_previous_secret" "bytea",
	"changed_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "obligation" (
	"subject_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"system" text NOT NULL,
	"kind" text NOT NULL,
	"facts" jsonb NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"due_at" timestamp with time zone NOT NULL,
	"next_attempt_at" timestamp with time zone NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"lease_token" integer DEFAULT 0 NOT NULL,
	"leased_until" timestamp with time zone,
	"delivered_at" timestamp with time zone,
	"acknowledged_at" timestamp with time zone,
	"last_problem" text,
	CONSTRAINT "obligation_subject_id_id_pk" PRIMARY KEY("subject_id","id")
);
--> statement-breakpoint
ALTER TABLE "deployment" ADD CONSTRAINT "deployment_policy_digest_policy_set_digest_fk" FOREIGN KEY ("policy_digest") REFERENCES "public"."policy_set"("digest") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "denial_decided" ON "denial" USING brin ("decided_at");--> statement-breakpoint
CREATE INDEX "permit_decided" ON "permit" USING brin ("decided_at");--> statement-breakpoint
CREATE INDEX "idempotency_recorded" ON "idempotency" USING brin ("recorded_at");--> statement-breakpoint
CREATE INDEX "control_challenge_id" ON "control_challenge" USING btree ("id");--> statement-breakpoint
CREATE INDEX "control_challenge_expires" ON "control_challenge" USING brin ("expires_at");--> statement-breakpoint
CREATE INDEX "identifier_subject" ON "identifier" USING btree ("subject_id");--> statement-breakpoint
CREATE INDEX "subject_state_review" ON "subject_state" USING btree ("review_at") WHERE review_at is not null;--> statement-breakpoint
CREATE INDEX "subject_state_linked" ON "subject_state" USING btree ("reviewed_policy") WHERE links <> '[]'::jsonb;--> statement-breakpoint
CREATE INDEX "obligation_queue" ON "obligation" USING btree ("system","next_attempt_at") WHERE acknowledged_at is null;--> statement-breakpoint
CREATE INDEX "obligation_of_system" ON "obligation" USING btree ("system","id");