//! The codes by which Azure names its failures, as far as anyone here asks for them, and what each means for a caller.

use super::Class;

/// No such resource; with status 404.
pub const RESOURCE_NOT_FOUND: &str = "ResourceNotFound";
/// No such resource group; with status 404.
pub const RESOURCE_GROUP_NOT_FOUND: &str = "ResourceGroupNotFound";
/// No such protected item, container or recovery point; with status 404.
pub const ITEM_NOT_FOUND: &str = "BMSUserErrorDataSourceObjectNotFound";
/// No such policy; with status 404.
pub const POLICY_NOT_FOUND: &str = "BMSUserErrorPolicyNotFound";
/// The virtual machine to protect does not exist.
pub const VM_NOT_FOUND: &str = "UserErrorVmNotFoundV2";
/// The vault still holds items or containers; with status 400.
pub const VAULT_NOT_EMPTY: &str = "ServiceResourceNotEmptyWithContainerDetails";
/// The vault still holds items, soft-deleted ones among them; with status 400.
pub const VAULT_NOT_EMPTY_BACKEND: &str = "ServiceResourceNotEmptyWithBackendMessage";
/// Another operation holds the item; with status 409.
pub const OBJECT_LOCKED: &str = "BMSUserErrorObjectLocked";
/// Another change of the item's protection is under way; with status 409.
pub const CONFLICTING_PROTECTION: &str = "BMSUserErrorConflictingProtectionOperation";
/// A policy that items use can neither be deleted nor go back to an older generation; with status 400.
pub const POLICY_IN_USE: &str = "BMSUserErrorPolicyObjectInUse";
/// A policy that is not one; with status 400.
pub const INVALID_POLICY: &str = "BMSUserErrorInvalidPolicyInput";
/// A policy's retention is out of range; with status 400.
pub const INVALID_RETENTION: &str = "BMSUserErrorPolicyRetentionInvalid";
/// A Backup vault's policy that is not one, or breaks a limit; with status 400.
pub const INVALID_RULES: &str = "DppPluginInvalidInputParameters";
/// Snapshots would outlive the points in the vault; with status 400.
pub const INSTANT_RP_OUTLIVES_VAULT: &str = "BMSUserErrorInstantRPRetentionExceedsVaultedRetention";
/// A request for protection that says the wrong thing; with status 400.
pub const INVALID_PROTECTION_REQUEST: &str = "BMSUserErrorInvalidConfigureProtectionRequest";
/// Other input that is wrong; with status 400.
pub const INVALID_VALUE: &str = "BMSUserErrorInvalidInput";
/// An operation of Azure's that the service does not offer; with status 400.
pub const NOT_SUPPORTED: &str = "BMSUserErrorNotSupported";
/// A container that still has items cannot be unregistered; with status 400.
pub const CONTAINER_HAS_ITEMS: &str = "BMSUserErrorContainerHasDatasources";
/// Immutability forbids it; with status 400.
pub const IMMUTABLE: &str = "UserErrorOperationDeniedOnImmutableItem";
/// A value breaks a limit of the service, a policy's among them; with status 400.
pub const INVALID_INPUT: &str = "CloudInvalidInputError";
/// The body is not what the call takes; with status 400.
pub const INVALID_REQUEST_CONTENT: &str = "InvalidRequestContent";
/// Too many calls of one action; with status 429.
pub const THROTTLED: &str = "ResourceRequestsThrottled";
/// The call has no `api-version`; with status 400.
pub const MISSING_API_VERSION: &str = "MissingApiVersionParameter";
/// The call's `api-version` is not known; with status 400.
pub const INVALID_API_VERSION: &str = "InvalidApiVersionParameter";
/// No token, or one that does not hold; with status 401.
pub const AUTHENTICATION_FAILED: &str = "AuthenticationFailed";
/// The token's time is over; with status 401.
pub const EXPIRED_TOKEN: &str = "ExpiredAuthenticationToken";
/// Who calls may not do this; with status 403.
pub const AUTHORIZATION_FAILED: &str = "AuthorizationFailed";
/// Who calls may not use another resource that the call refers to; with status 403.
pub const LINKED_AUTHORIZATION_FAILED: &str = "LinkedAuthorizationFailed";
/// A lock on the resource group forbids it; with status 409.
pub const SCOPE_LOCKED: &str = "ScopeLocked";
/// The machine was backed up on demand as often as it can be in a day; with status 400.
pub const ON_DEMAND_LIMIT: &str = "CloudDosAbsoluteLimitReached";
/// The job is no longer where it can be stopped.
pub const JOB_NOT_CANCELLABLE: &str = "UserErrorJobNotCancellable";
/// The redundancy cannot change once an item is registered.
pub const STORAGE_TYPE_LOCKED: &str = "CannotModifyStorageTypeWhenItemsAreRegistered";
/// Something of that name is there already; with status 409.
pub const ALREADY_EXISTS: &str = "ResourceAlreadyExists";
/// The resource is there, in another region than it is to be made in; with status 409.
pub const OTHER_LOCATION: &str = "InvalidResourceLocation";
/// The recovery point has expired and is going; with status 409.
pub const POINT_GOES: &str = "UserErrorRecoveryPointBeingDeleted";
/// The vault has lost a part of the recovery point; with status 409. The next backup may give it back.
pub const POINT_DAMAGED: &str = "UserErrorRecoveryPointDamaged";
/// The vault does not have the recovery point's data any more; with status 409.
pub const POINT_LOST: &str = "UserErrorRecoveryPointDataMissing";
/// A disk of that name is where a restore is to go, as are the machine and the folder of the next two; with status 409.
pub const TARGET_DISK_EXISTS: &str = "UserErrorTargetDiskAlreadyExists";
/// See [`TARGET_DISK_EXISTS`].
pub const TARGET_MACHINE_EXISTS: &str = "UserErrorTargetVirtualMachineAlreadyExists";
/// See [`TARGET_DISK_EXISTS`].
pub const TARGET_FOLDER_EXISTS: &str = "UserErrorTargetFolderAlreadyExists";
/// Soft delete that is always on cannot be turned off.
pub const SOFT_DELETE_ALWAYS_ON: &str = "UserErrorDisableSoftDeleteNotAllowed";
/// The service failed in itself; with status 500.
pub const INTERNAL: &str = "InternalServerError";
/// The service cannot answer now; with status 503.
pub const UNAVAILABLE: &str = "ServiceUnavailable";

/// What each code means for a caller, whatever the status it comes with.
pub(super) const CLASSES: &[(&str, Class)] = &[
    (OBJECT_LOCKED, Class::RetryAfter),
    (CONFLICTING_PROTECTION, Class::RetryAfter),
    (THROTTLED, Class::RetryAfter),
    (ON_DEMAND_LIMIT, Class::RetryAfter),
    (EXPIRED_TOKEN, Class::RetryAfter),
    (INTERNAL, Class::RetryAfter),
    (UNAVAILABLE, Class::RetryAfter),
    ("TooManyRequests", Class::RetryAfter),
    ("GatewayTimeout", Class::RetryAfter),
    (RESOURCE_NOT_FOUND, Class::Blocked),
    (RESOURCE_GROUP_NOT_FOUND, Class::Blocked),
    (ITEM_NOT_FOUND, Class::Blocked),
    (POLICY_NOT_FOUND, Class::Blocked),
    (VM_NOT_FOUND, Class::Blocked),
    (VAULT_NOT_EMPTY, Class::Blocked),
    (VAULT_NOT_EMPTY_BACKEND, Class::Blocked),
    (POLICY_IN_USE, Class::Blocked),
    (IMMUTABLE, Class::Blocked),
    (AUTHENTICATION_FAILED, Class::Blocked),
    (AUTHORIZATION_FAILED, Class::Blocked),
    (LINKED_AUTHORIZATION_FAILED, Class::Blocked),
    (STORAGE_TYPE_LOCKED, Class::Blocked),
    (SCOPE_LOCKED, Class::Blocked),
    ("SubscriptionNotFound", Class::Blocked),
    ("MissingSubscriptionRegistration", Class::Blocked),
    ("RequestDisallowedByPolicy", Class::Blocked),
    (CONTAINER_HAS_ITEMS, Class::Blocked),
    (ALREADY_EXISTS, Class::Blocked),
    (POINT_DAMAGED, Class::Blocked),
    (TARGET_DISK_EXISTS, Class::Blocked),
    (TARGET_MACHINE_EXISTS, Class::Blocked),
    (TARGET_FOLDER_EXISTS, Class::Blocked),
    (OTHER_LOCATION, Class::Terminal),
    (POINT_GOES, Class::Terminal),
    (POINT_LOST, Class::Terminal),
    (NOT_SUPPORTED, Class::Terminal),
    (INVALID_INPUT, Class::Terminal),
    (INVALID_POLICY, Class::Terminal),
    (INVALID_RETENTION, Class::Terminal),
    (INVALID_RULES, Class::Terminal),
    (INSTANT_RP_OUTLIVES_VAULT, Class::Terminal),
    (INVALID_PROTECTION_REQUEST, Class::Terminal),
    (INVALID_VALUE, Class::Terminal),
    (INVALID_REQUEST_CONTENT, Class::Terminal),
    (MISSING_API_VERSION, Class::Terminal),
    (INVALID_API_VERSION, Class::Terminal),
    (JOB_NOT_CANCELLABLE, Class::Terminal),
    (SOFT_DELETE_ALWAYS_ON, Class::Terminal),
];
