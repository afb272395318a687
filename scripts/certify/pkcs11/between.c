/*
 * A PKCS#11 library between a program and SoftHSM, which has no bad days of its own. The first line of the file BETWEEN_FILE says what
 * becomes of calls: "slow N" sleeps N seconds at each one that uses a key, "locked" is a token whose PIN is locked. Logins are counted in
 * BETWEEN_FILE.logins, one byte each.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CK_PTR *
#define CK_DECLARE_FUNCTION(type, name) type name
#define CK_DECLARE_FUNCTION_POINTER(type, name) type(*name)
#define CK_CALLBACK_FUNCTION(type, name) type(*name)
#ifndef NULL_PTR
#define NULL_PTR 0
#endif
#include "pkcs11.h"

static CK_FUNCTION_LIST table;
static CK_FUNCTION_LIST_PTR real;

/* The first line, or nothing. */
static void said(char *line, int size) {
  FILE *file = fopen(getenv("BETWEEN_FILE"), "r");
  line[0] = 0;
  if (file == NULL) return;
  if (fgets(line, size, file) == NULL) line[0] = 0;
  fclose(file);
}

static void perhaps_sleep(void) {
  char line[64];
  int seconds;
  said(line, sizeof line);
  if (sscanf(line, "slow %d", &seconds) == 1) sleep(seconds);
}

static int is_locked(void) {
  char line[64];
  said(line, sizeof line);
  return strncmp(line, "locked", 6) == 0;
}

static CK_RV encrypt(CK_SESSION_HANDLE s, CK_BYTE_PTR in, CK_ULONG n, CK_BYTE_PTR out, CK_ULONG_PTR m) {
  perhaps_sleep();
  return real->C_Encrypt(s, in, n, out, m);
}

static CK_RV decrypt(CK_SESSION_HANDLE s, CK_BYTE_PTR in, CK_ULONG n, CK_BYTE_PTR out, CK_ULONG_PTR m) {
  perhaps_sleep();
  return real->C_Decrypt(s, in, n, out, m);
}

static CK_RV login(CK_SESSION_HANDLE s, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin, CK_ULONG n) {
  char name[4096];
  FILE *file;
  snprintf(name, sizeof name, "%s.logins", getenv("BETWEEN_FILE"));
  file = fopen(name, "a");
  if (file != NULL) {
    fputc('.', file);
    fclose(file);
  }
  return is_locked() ? CKR_PIN_LOCKED : real->C_Login(s, user, pin, n);
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR out) {
  void *library = dlopen(getenv("BETWEEN_LIBRARY"), RTLD_NOW);
  CK_C_GetFunctionList get = library == NULL ? NULL : (CK_C_GetFunctionList)dlsym(library, "C_GetFunctionList");
  if (get == NULL || get(&real) != CKR_OK) return CKR_GENERAL_ERROR;
  table = *real;
  table.C_Encrypt = encrypt;
  table.C_Decrypt = decrypt;
  table.C_Login = login;
  *out = &table;
  return CKR_OK;
}
