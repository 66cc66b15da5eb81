/* What an InterestUpdate does to its portfolio's set: the one word that the message and the
 * registry share. */
#pragma once

enum lc_interest_type { LC_INTEREST_REPLACE, LC_INTEREST_ADD, LC_INTEREST_REMOVE };
