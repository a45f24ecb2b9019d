/** What a component may ask to do (the actions of the service's policies). */
export type Action =
  | 'collect'
  | 'link'
  | 'enrich'
  | 'profile'
  | 'personalise'
  | 'contact'
  | 'reply'
  | 'reply_automatically'
  | 'forward'
  | 'share'
  | 'publish'
  | 'publish_aggregate'
  | 'retain';

/** Undefined is as good as left out: neither stands in JSON. */
type Optional<T> = { [K in keyof T]?: T[K] | undefined };

/** The dimensions of a consent. A check names every dimension that its purpose declares, else it is denied. */
export type Scope = Optional<{
  /** Only where no social identity names the platform. */
  platform: string;
  channel: string;
  topic: string;
  form: string;
  recipient: string;
}>;

/** What the component knows about the act. The service denies a member that it does not know. */
export type Circumstances = Optional<{
  /** The colleague, or the program, on whose behalf the component asks. */
  actor: { id: string; role: 'agent' | 'moderator' | 'editor' | 'analyst' | 'marketer' | 'manager' | 'automation' };
  /** How the component came to believe that the account is this customer's. A claim, never a proof. */
  match: {
    method: 'proved' | 'declared' | 'inferred' | 'same-identifier' | 'same-name' | 'probabilistic';
    confidence?: number | undefined;
  };
  /** The identifiers that led from the customer to the account, in order, for example an address, then another account. */
  chain: string[];
  /** The account goes by a nickname. */
  nickname: boolean;
  /** Who may see the material that is used. */
  visibility: 'public' | 'followers' | 'members' | 'private' | 'internal';
  /** The thread that is answered, and how many days ago the person last wrote in it. */
  inReplyTo: { openedBySubject: boolean; days: number };
  /** The message advertises something. */
  marketing: boolean;
  /** No human reads the message before it is sent. */
  automated: boolean;
  /** The message says that a program wrote it. */
  botDisclosed: boolean;
  /** The person asked for a human in this thread. */
  asksForHuman: boolean;
  /** The message asks for consent to this purpose. */
  asksFor: string;
  /** The human review of a likely match, by the id that `POST /v1/reviews` answered. */
  review: string;
  /** What is evaluated. */
  sources: (
    | 'own-records'
    | 'posts'
    | 'comments'
    | 'reviews'
    | 'criticism'
    | 'messages'
    | 'profile-page'
    | 'likes'
    | 'follows'
    | 'friends'
    | 'prizes'
    | 'group-statistics'
    | 'bought-data'
  )[];
  /** Protected attributes that are used (GDPR Art. 9 and 10, EU Charter Art. 21). */
  protectedAttributes: (
    | 'ethnic-origin'
    | 'political-opinion'
    | 'religion'
    | 'trade-union-membership'
    | 'genetic-data'
    | 'biometric-data'
    | 'health'
    | 'sex-life'
    | 'sexual-orientation'
    | 'criminal-record'
    | 'sex'
    | 'age'
    | 'disability'
    | 'nationality'
    | 'social-origin'
  )[];
  produces: 'aggregate' | 'segment' | 'recommendation' | 'score' | 'prediction' | 'ranking';
  /** What follows from it for the person. */
  consequence: 'none' | 'benefit' | 'detriment';
  /** What the component takes for an agreement. */
  claimedGround:
    'like' | 'follow' | 'prize-draw' | 'friend' | 'public-post' | 'platform-terms' | 'silence' | 'bought-list';
  /** Persons in the smallest cell of the statistic. */
  cellSize: number;
  /** A list that is handed to a platform. */
  upload: 'customer-list' | 'hashed-list';
  /** Who gets the material, and for what. */
  forward: { department: string; purpose: string };
}>;

type Answerable = {
  /**
   * Obligations that the component fulfils whenever they come with a permit (`aggregate-only`, `disclose-bot` …). A permit
   * that carries another one is turned into a denial: the enforcement point is deny-biased (XACML 3.0 section 7.2.2).
   */
  fulfils?: readonly string[];
};

/** May this social identity be linked to this customer? Identifiers are `namespace:value`, for example `crm:4711`. */
export type LinkRequest = Circumstances &
  Answerable & {
    customer: string;
    /** By its immutable account id; a handle alone is never permitted. */
    identity: string;
    /** `profile-linking` if left out. */
    purpose?: string;
  };

/** May this be done, for this purpose, with the data of this customer or account, or with this aggregate of many? */
export type UseRequest = Circumstances &
  Answerable & { action: Action; purpose: string; scope?: Scope } & (
    | { customer: string; identity?: never; aggregate?: never }
    | { identity: string; customer?: string; aggregate?: never }
    | { aggregate: string; customer?: never; identity?: never }
  );

/** What an answer must hold beyond `true` to be a permit. */
export type Expectation = { fulfils: readonly string[]; lease: boolean };

/** One question as AuthZEN 1.0 section 6.1 wants it, but for the subject; and what its answer must hold. */
export type Question = {
  evaluation: {
    action: { name: string };
    resource: { type: 'social_identity' | 'customer' | 'aggregate'; id: string };
    context: Record<string, unknown>;
  };
  expects: Expectation;
};

/** A link is a use like any other. */
export const asUse = (request: LinkRequest): UseRequest => ({
  ...request,
  action: 'link',
  purpose: request?.purpose ?? 'profile-linking',
});

/** The question on the wire: dimensions and circumstances stand side by side in `context`. */
export const questionOf = (request: UseRequest): Question => {
  const { action, customer, identity, aggregate, scope, fulfils = [], ...circumstances } = request;
  const context = { ...circumstances, ...scope };
  const evaluation =
    identity !== undefined
      ? { resource: { type: 'social_identity' as const, id: identity }, context: { ...context, customer } }
      : customer !== undefined
        ? { resource: { type: 'customer' as const, id: customer }, context }
        : { resource: { type: 'aggregate' as const, id: aggregate as string }, context };
  return { evaluation: { action: { name: action }, ...evaluation }, expects: { fulfils, lease: action === 'link' } };
};
