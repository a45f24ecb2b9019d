CREATE TABLE "service_key" (
	"name" text NOT NULL,
	"version" integer NOT NULL,
	"key_encryption_key" integer NOT NULL,
	"wrapped" "bytea" NOT NULL,
	"public_jwk" jsonb,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "service_key_name_version_pk" PRIMARY KEY("name","version")
);
--> statement-breakpoint
CREATE TABLE "subject_key" (
	"subject_id" uuid PRIMARY KEY NOT NULL,
	"key_encryption_key" integer NOT NULL,
	"wrapped" "bytea" NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
